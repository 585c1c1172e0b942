package overlay

import (
	"crypto/ecdh"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/rpc"
	"os"
	"os/exec"
	"strings"

	"go.uber.org/goleak"

	"github.com/musterhq/muster/network"
)

// hostVariable says that this process is a host.
const hostVariable = "MUSTER_OVERLAY_TEST_HOST"

// hostProcess is a Device in a process of its own.
type hostProcess struct {
	*rpc.Client
	space *space
	cmd   *exec.Cmd
}

type pipe struct {
	io.ReadCloser
	io.WriteCloser
}

func (p pipe) Close() error { return errors.Join(p.ReadCloser.Close(), p.WriteCloser.Close()) }

// process starts a host in the namespace. Its stack of goroutines is empty at the
// end of the test.
func (s *space) process(key Key) *hostProcess {
	s.t.Helper()
	p := &hostProcess{space: s, cmd: exec.Command(os.Args[0])}
	p.cmd.Env = append(os.Environ(), hostVariable+"=1")
	p.cmd.Stderr = os.Stderr
	in, err := p.cmd.StdinPipe()
	s.must(err)
	out, err := p.cmd.StdoutPipe()
	s.must(err)
	s.in(p.cmd.Start)
	p.Client = rpc.NewClient(pipe{out, in})
	s.t.Cleanup(p.stop)
	p.ask("Start", key.private.Bytes(), nil)
	return p
}

// stop ends it as it should end.
func (p *hostProcess) stop() {
	if p.cmd.ProcessState != nil {
		return
	}
	var leaks string
	if err := p.Call("Host.Stop", false, &leaks); err != nil || leaks != "" {
		p.space.t.Errorf("a host ended with %v %s", err, leaks)
	}
	_ = p.Close()
	if err := p.cmd.Wait(); err != nil {
		p.space.t.Errorf("a host ended with %v", err)
	}
}

// kill ends it as a crash does.
func (p *hostProcess) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
	_ = p.Close()
}

func (p *hostProcess) ask(method string, args, reply any) {
	p.space.t.Helper()
	if reply == nil {
		reply = new(bool)
	}
	if err := p.Call("Host."+method, args, reply); err != nil {
		p.space.t.Fatalf("%s: %v", method, err)
	}
}

func (p *hostProcess) set(o network.Overlay) {
	p.space.t.Helper()
	p.ask("Set", o, nil)
}

func (p *hostProcess) problems() string {
	var out []string
	p.ask("Problems", false, &out)
	return strings.Join(out, "\n")
}

// serveHost is the other side.
func serveHost() int {
	if err := rpc.Register(new(Host)); err != nil {
		return 1
	}
	rpc.ServeConn(pipe{os.Stdin, os.Stdout})
	return 0
}

// Host is what a test has a process do.
type Host struct {
	d    *Device
	key  Key
	want network.Overlay
}

// Start makes the Device.
func (h *Host) Start(key []byte, _ *bool) (err error) {
	private, err := ecdh.X25519().NewPrivateKey(key)
	if err != nil {
		return err
	}
	h.key = Key{private}
	h.d, err = New(Config{Key: h.key, Logger: logger()})
	return err
}

func logger() *slog.Logger {
	if os.Getenv("MUSTER_OVERLAY_TEST_DEBUG") == "" {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// Set is the Device's.
func (h *Host) Set(o network.Overlay, _ *bool) error {
	h.want = o
	h.d.Set(o)
	return nil
}

// Problems are the Device's.
func (h *Host) Problems(_ bool, out *[]string) error {
	*out = h.d.Problems()
	return nil
}

// Stats are the Device's.
func (h *Host) Stats(_ bool, out *[]PeerStats) (err error) {
	*out, err = h.d.Stats()
	return err
}

// Succeed has another Device go on where this one stops.
func (h *Host) Succeed(_ bool, _ *bool) error {
	f, err := h.d.Handover()
	if err != nil || f == nil {
		return fmt.Errorf("handover: %v %w", f, err)
	}
	next, err := New(Config{Key: h.key, Tun: f, Logger: logger()})
	if err != nil {
		return err
	}
	next.Set(h.want)
	h.d.Close(true) // which is not to remove what the other one has
	h.d = next
	return nil
}

// FailToSucceed hands over to a process that ends at once.
func (h *Host) FailToSucceed(_ bool, _ *bool) error {
	f, err := h.d.Handover()
	if err != nil {
		return err
	}
	defer h.d.Resume()
	return f.Close()
}

// Stop closes the Device and says which goroutines are left of it.
func (h *Host) Stop(remove bool, leaks *string) error {
	h.d.Close(remove)
	err := goleak.Find(goleak.IgnoreAnyFunction("net/rpc.(*Server).ServeCodec"))
	if err != nil {
		*leaks = err.Error()
	}
	return nil
}
