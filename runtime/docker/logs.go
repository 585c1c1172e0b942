package docker

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"

	"github.com/musterhq/muster/runtime"
)

const (
	// maxLine bounds a line that a container writes without a newline, in bytes.
	maxLine = 1 << 20
	// maxFrame bounds one frame of the engine's log stream, in bytes; it makes
	// frames of at most 16 KiB and a time.
	maxFrame = 1 << 20
	// logsDeadline bounds reading logs that are not followed.
	logsDeadline = 10 * time.Minute
)

// Logs copies a container's output to w, line by line.
func (d *Driver) Logs(ctx context.Context, id string, o runtime.LogOptions, w runtime.LogWriter) error {
	what := "read logs of container " + id
	tty, err := d.hasTTY(ctx, id)
	if err != nil {
		return err
	}
	if !o.Follow {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, logsDeadline)
		defer cancel()
	}
	var body io.ReadCloser
	stop, err := d.begin(ctx, what, func(ctx context.Context, cl *client.Client) (err error) {
		body, err = cl.ContainerLogs(ctx, id, logsOptions(o))
		return err
	})
	if err != nil {
		return err
	}
	defer stop()
	defer body.Close()
	if tty {
		err = copyRaw(body, w)
	} else {
		err = copyFrames(body, w)
	}
	if o.Follow && ctx.Err() != nil {
		return nil // the caller has seen enough
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

func (d *Driver) hasTTY(ctx context.Context, id string) (tty bool, err error) {
	err = d.call(ctx, classRead, "inspect container "+id, func(ctx context.Context, cl *client.Client) error {
		c, err := cl.ContainerInspect(ctx, id)
		if err == nil && c.Config != nil {
			tty = c.Config.Tty
		}
		return err
	})
	return tty, err
}

func logsOptions(o runtime.LogOptions) container.LogsOptions {
	out := container.LogsOptions{ShowStdout: true, ShowStderr: true, Timestamps: true, Follow: o.Follow, Tail: "all"}
	if o.Tail >= 0 {
		out.Tail = strconv.Itoa(o.Tail)
	}
	stamp := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return fmt.Sprintf("%d.%09d", t.Unix(), t.Nanosecond())
	}
	out.Since, out.Until = stamp(o.Since), stamp(o.Until)
	return out
}

// line gathers one stream's line, which may come in several pieces, each with
// a time of its own; the first one counts.
type line struct {
	stream string
	at     time.Time
	text   []byte
}

// add takes a piece and hands the line on when it ends.
func (l *line) add(piece []byte, w runtime.LogWriter) error {
	at, text := splitTime(piece)
	if len(l.text) == 0 {
		l.at = at
	}
	text, ended := bytes.CutSuffix(text, []byte("\n"))
	l.text = append(l.text, text...)
	if ended || len(l.text) >= maxLine {
		return l.flush(w)
	}
	return nil
}

func (l *line) flush(w runtime.LogWriter) error {
	err := w.Log(l.at, l.stream, bytes.TrimSuffix(l.text, []byte("\r")))
	l.text = l.text[:0]
	return err
}

// splitTime takes the time off the front of a piece.
func splitTime(piece []byte) (time.Time, []byte) {
	stamp, rest, ok := bytes.Cut(piece, []byte(" "))
	at, err := time.Parse(time.RFC3339Nano, string(stamp))
	if !ok || err != nil {
		return time.Time{}, piece
	}
	return at.UTC(), rest
}

// copyFrames reads the engine's multiplexed stream: a header of eight bytes
// (stream, three zeros, length in big-endian), then one piece of a line.
func copyFrames(r io.Reader, w runtime.LogWriter) error {
	in := bufio.NewReader(r)
	lines := map[byte]*line{1: {stream: "stdout"}, 2: {stream: "stderr"}}
	for {
		var header [8]byte
		if _, err := io.ReadFull(in, header[:]); err != nil {
			if errors.Is(err, io.EOF) {
				return flushRest(lines, w)
			}
			return err
		}
		size := binary.BigEndian.Uint32(header[4:])
		if size > maxFrame {
			return fmt.Errorf("the engine sent a log frame of %d bytes", size)
		}
		piece := make([]byte, size)
		if _, err := io.ReadFull(in, piece); err != nil {
			return err
		}
		l, ok := lines[header[0]]
		if !ok {
			return fmt.Errorf("the engine reported: %s", piece)
		}
		if err := l.add(piece, w); err != nil {
			return err
		}
	}
}

func flushRest(lines map[byte]*line, w runtime.LogWriter) error {
	for _, stream := range []byte{1, 2} {
		if l := lines[stream]; len(l.text) > 0 {
			if err := l.flush(w); err != nil {
				return err
			}
		}
	}
	return nil
}

// copyRaw reads a terminal's output, which has no frames.
func copyRaw(r io.Reader, w runtime.LogWriter) error {
	in := bufio.NewReaderSize(r, 64<<10)
	l := &line{stream: "stdout"}
	for {
		piece, err := in.ReadSlice('\n')
		if len(piece) > 0 {
			if werr := l.add(piece, w); werr != nil {
				return werr
			}
		}
		switch {
		case err == nil, errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF):
			return flushRest(map[byte]*line{1: l, 2: {}}, w)
		default:
			return err
		}
	}
}
