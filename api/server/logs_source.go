package server

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

const (
	// maxLogLine is where a line of output is broken, in bytes.
	maxLogLine = 64 << 10
	// maxWireLine is a line in JSON, where a byte can take six.
	maxWireLine = 6*maxLogLine + 1024
)

// Streams of a log line beside stdout and stderr.
const (
	streamError = "error"
	// streamCaughtUp, between nodes only: what existed has been sent.
	streamCaughtUp = "caught-up"
)

// logItem is a line of output, or the word that what existed has been read.
type logItem struct {
	at       time.Time
	stream   string
	text     string
	caughtUp bool
}

// readLogs hands on a container's output: what exists, and with follow the word
// that this was all, then what comes until the container or ctx ends.
func readLogs(ctx context.Context, e Engine, container string, r logRange, out func(logItem) error) error {
	w := &lineWriter{out: out}
	if !r.follow {
		return e.Logs(ctx, container, runtime.LogOptions{Tail: r.tail, Since: r.since}, w)
	}
	// The time of the last line is where following goes on. It is the clock of
	// the container's host: no other clock can tell what has been read.
	tail := r.tail
	if tail == 0 {
		w.mute, tail = true, 1
	}
	if err := e.Logs(ctx, container, runtime.LogOptions{Tail: tail, Since: r.since}, w); err != nil {
		return err
	}
	w.mute = false
	if err := out(logItem{caughtUp: true}); err != nil {
		return err
	}
	since := r.since
	if !w.last.IsZero() {
		since = w.last.Add(1)
	}
	return e.Logs(ctx, container, runtime.LogOptions{Follow: true, Tail: -1, Since: since}, w)
}

// lineWriter breaks long lines and remembers the newest time.
type lineWriter struct {
	out  func(logItem) error
	mute bool
	last time.Time
}

// Log implements runtime.LogWriter.
func (w *lineWriter) Log(at time.Time, stream string, line []byte) error {
	if at.After(w.last) {
		w.last = at
	}
	if w.mute {
		return nil
	}
	for {
		part := line[:breakAt(line)]
		if err := w.out(logItem{at: at, stream: stream, text: string(part)}); err != nil {
			return err
		}
		if line = line[len(part):]; len(line) == 0 {
			return nil
		}
	}
}

// breakAt is the length of the longest part of line that is allowed and does
// not end within a character.
func breakAt(line []byte) int {
	if len(line) <= maxLogLine {
		return len(line)
	}
	for n := maxLogLine; n > maxLogLine-utf8.UTFMax; n-- {
		if utf8.RuneStart(line[n]) {
			return n
		}
	}
	return maxLogLine
}

// readTask hands on a task's output from whichever node it is on.
func (c *call) readTask(ctx context.Context, node cluster.NodeID, container string, r logRange, out func(logItem) error) error {
	if node != c.Self {
		return c.readRemote(ctx, node, container, r, out)
	}
	if _, err := c.ownContainer(container); err != nil {
		return err
	}
	return readLogs(ctx, c.Engine, container, r, out)
}

func (c *call) readRemote(ctx context.Context, node cluster.NodeID, container string, r logRange, out func(logItem) error) error {
	q := r.values()
	q.Set("container", container)
	body, err := c.Peers.Stream(ctx, node, http.MethodGet, "/v1/node/logs?"+q.Encode(), nil)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	in := bufio.NewScanner(body)
	in.Buffer(nil, maxWireLine)
	for in.Scan() {
		var l api.LogLine
		if err := json.Unmarshal(in.Bytes(), &l); err != nil {
			return fmt.Errorf("read its answer: %w", err)
		}
		if l.Stream == streamError {
			return errors.New(l.Line)
		}
		if err := out(logItem{at: l.At, stream: l.Stream, text: l.Line, caughtUp: l.Stream == streamCaughtUp}); err != nil {
			return err
		}
	}
	if err := in.Err(); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("the connection broke: %w", err)
	}
	return nil
}

// isNotFound reports whether a thing is not on the node that was asked, which
// may be this one.
func isNotFound(err error) bool {
	var e *api.Error
	return errors.Is(err, runtime.ErrNotFound) || errors.As(err, &e) && e.Code == api.CodeNotFound
}
