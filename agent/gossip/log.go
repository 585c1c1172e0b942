package gossip

import (
	"bytes"
	"context"
	"log"
	"log/slog"
	"strings"
)

// newLogger sends memberlist's log lines to slog.
func newLogger(to *slog.Logger) *log.Logger {
	return log.New(&logWriter{to.With("from", "memberlist")}, "", 0)
}

type logWriter struct{ to *slog.Logger }

// worthTelling holds the lines that an operator can use. The others, whatever
// level memberlist gives them, repeat with every probe of a dead host or with
// every packet a stranger sends, and go to debug.
var worthTelling = []struct {
	part  string
	level slog.Level
}{
	{"Marking ", slog.LevelInfo},
	{"Refuting a ", slog.LevelInfo},
	{"Updating address for ", slog.LevelInfo},
	{"ignoring alive message for ", slog.LevelWarn},
	{"Ignoring an alive message for ", slog.LevelWarn},
	{"Failed push/pull merge", slog.LevelWarn},
	{"Conflicting address for ", slog.LevelWarn},
	{"UDP probes failed, network may be misconfigured", slog.LevelWarn},
	{"handler queue full", slog.LevelWarn},
	{"Too many pending push/pull", slog.LevelWarn},
	{"Error accepting TCP connection", slog.LevelWarn},
	{"Error reading UDP packet", slog.LevelWarn},
}

// Write takes one line of the form "[LEVEL] memberlist: text".
func (w *logWriter) Write(line []byte) (int, error) {
	text := string(bytes.TrimSpace(line))
	if strings.HasPrefix(text, "[") {
		if _, rest, ok := strings.Cut(text, "] "); ok {
			text = rest
		}
	}
	text = strings.TrimPrefix(text, "memberlist: ")
	w.to.Log(context.Background(), lineLevel(text), text)
	return len(line), nil
}

func lineLevel(text string) slog.Level {
	for _, w := range worthTelling {
		if strings.Contains(text, w.part) {
			return w.level
		}
	}
	return slog.LevelDebug
}
