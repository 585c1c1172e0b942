package client

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// commandConn is a connection over the standard streams of a process. It has no
// deadlines: who calls over it ends calls by closing it.
type commandConn struct {
	host   string // where it leads, for errors
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout io.ReadCloser
	stderr *tail
	close  func() error
}

func startCommand(host string, cmd *exec.Cmd) (net.Conn, error) {
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c := &commandConn{host: host, cmd: cmd, stdin: stdin, stdout: stdout, stderr: new(tail)}
	cmd.Stderr = c.stderr
	cmd.WaitDelay = time.Second
	c.close = sync.OnceValue(c.end)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("run %s: %w", cmd.Path, err)
	}
	return c, nil
}

// end closes the process's input, which ends it, or kills it.
func (c *commandConn) end() error {
	closed := c.stdin.Close()
	killer := time.AfterFunc(500*time.Millisecond, func() { _ = c.cmd.Process.Kill() })
	defer killer.Stop()
	_ = c.cmd.Wait()
	return closed
}

func (c *commandConn) Read(p []byte) (int, error) {
	n, err := c.stdout.Read(p)
	if err == nil || n > 0 {
		return n, nil
	}
	return 0, c.fault(err)
}

func (c *commandConn) Write(p []byte) (int, error) {
	n, err := c.stdin.Write(p)
	if err != nil {
		err = c.fault(err)
	}
	return n, err
}

// fault ends the process and returns what it said on its way out, or err if it
// said nothing.
func (c *commandConn) fault(err error) error {
	_ = c.close()
	said := c.stderr.String()
	if said == "" {
		return err
	}
	return &ConnectError{
		Host: c.host, Reason: said, Err: err,
		Hint: "check that ssh to that host works and that muster is installed and running there",
	}
}

func (c *commandConn) Close() error { return c.close() }

// CloseWrite tells the other side that no more is coming.
func (c *commandConn) CloseWrite() error { return c.stdin.Close() }

func (c *commandConn) LocalAddr() net.Addr              { return commandAddr{} }
func (c *commandConn) RemoteAddr() net.Addr             { return commandAddr{} }
func (c *commandConn) SetDeadline(time.Time) error      { return nil }
func (c *commandConn) SetReadDeadline(time.Time) error  { return nil }
func (c *commandConn) SetWriteDeadline(time.Time) error { return nil }

type commandAddr struct{}

func (commandAddr) Network() string { return "command" }
func (commandAddr) String() string  { return "command" }

// tailSize bounds what is kept of a process's complaints, in bytes.
const tailSize = 4 << 10

// tail keeps the last bytes that were written to it.
type tail struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf.Write(p)
	if extra := t.buf.Len() - tailSize; extra > 0 {
		t.buf.Next(extra)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(t.buf.String())
}
