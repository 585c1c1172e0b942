package server

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/runtime"
)

const (
	// execFrameLimit bounds a frame that is read, execChunk one that is sent, in bytes.
	execFrameLimit = 1 << 20
	execChunk      = 32 << 10
	// execAlive is how often a quiet command's channel carries an empty frame:
	// writing is the one way to notice a reader that went away while its input
	// waits for the command.
	execAlive = 20 * time.Second
	// execLinger is how long the reader may take to fetch the last frames.
	execLinger = time.Minute
)

// execSession is a command on this host and the websocket that it talks over.
// Reading input waits for the command to take it and writing output waits for
// the other side, so that nothing piles up.
type execSession struct {
	conn   *websocket.Conn
	ctx    context.Context // ends with the websocket's reader
	cancel context.CancelFunc
	input  *io.PipeReader
	stdin  *io.PipeWriter
	resize chan runtime.Size // holds the newest size
}

func newExecSession(ctx context.Context, conn *websocket.Conn) *execSession {
	s := &execSession{conn: conn, resize: make(chan runtime.Size, 1)}
	s.ctx, s.cancel = context.WithCancel(ctx)
	s.input, s.stdin = io.Pipe()
	return s
}

// run runs the command until it ends or the other side goes away.
func (s *execSession) run(engine Engine, container string, e runtime.Exec, q url.Values) {
	var jobs sync.WaitGroup
	defer jobs.Wait()
	defer func() { _ = s.conn.CloseNow() }()
	defer s.cancel()

	e.Stdout, e.Stderr, e.Resize = s.writer(api.ExecStdout), s.writer(api.ExecStderr), s.resize
	if q.Get("stdin") != "" {
		e.Stdin = s.input
	} else {
		_ = s.input.Close()
	}
	s.setSize(atoi(q.Get("rows")), atoi(q.Get("cols")))
	gone := make(chan struct{})
	jobs.Go(func() {
		defer close(gone)
		defer s.cancel()
		s.read()
	})
	stopAlive := s.keepAlive()
	code, err := engine.Exec(s.ctx, container, e)
	_ = s.input.Close() // whoever still reads or writes input goes on
	stopAlive()
	s.finish(code, err)
	select {
	case <-gone:
	case <-time.After(execLinger):
	}
}

// read takes the other side's frames until it goes away.
func (s *execSession) read() {
	for {
		_, frame, err := s.conn.Read(s.ctx)
		if err != nil {
			_ = s.stdin.CloseWithError(io.ErrUnexpectedEOF)
			return
		}
		if len(frame) == 0 {
			continue
		}
		switch frame[0] {
		case api.ExecStdin:
			_, _ = s.stdin.Write(frame[1:]) // fails once the command does not read any more
		case api.ExecEOF:
			_ = s.stdin.Close()
		case api.ExecResize:
			var size [2]int
			if json.Unmarshal(frame[1:], &size) == nil {
				s.setSize(size[0], size[1])
			}
		}
	}
}

// setSize replaces a size that was not taken yet. One that is no size is ignored.
func (s *execSession) setSize(rows, cols int) {
	if rows < 1 || cols < 1 || rows > 0xffff || cols > 0xffff {
		return
	}
	select {
	case <-s.resize:
	default:
	}
	s.resize <- runtime.Size{Rows: uint16(rows), Cols: uint16(cols)}
}

// keepAlive sends empty frames until stop is called, which waits for it.
func (s *execSession) keepAlive() (stop func()) {
	done := make(chan struct{})
	var job sync.WaitGroup
	job.Go(func() {
		t := time.NewTicker(execAlive)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				if s.send(api.ExecStdout, nil) != nil {
					s.cancel()
					return
				}
			case <-done:
				return
			}
		}
	})
	return func() {
		close(done)
		job.Wait()
	}
}

// finish sends how the command ended.
func (s *execSession) finish(code int, err error) {
	kind, value := api.ExecExit, any(code)
	if err != nil {
		kind, value = api.ExecError, asError(fmt.Errorf("run the command: %w", err))
	}
	data, err := json.Marshal(value)
	if err == nil {
		_ = s.send(kind, data) // the other side is gone: nobody to tell
	}
}

func (s *execSession) send(kind byte, data []byte) error {
	return s.conn.Write(s.ctx, websocket.MessageBinary, append([]byte{kind}, data...))
}

func (s *execSession) writer(kind byte) io.Writer { return execWriter{s, kind} }

// execWriter sends output as frames of one kind.
type execWriter struct {
	s    *execSession
	kind byte
}

func (w execWriter) Write(p []byte) (int, error) {
	for n := 0; n < len(p); n += execChunk {
		if err := w.s.send(w.kind, p[n:min(n+execChunk, len(p))]); err != nil {
			return n, fmt.Errorf("send the command's output: %w", err)
		}
	}
	return len(p), nil
}

// atoi is 0 for what is no number.
func atoi(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}
