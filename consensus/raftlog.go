package consensus

import (
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"strings"

	"github.com/hashicorp/go-hclog"
)

// raftLog is an hclog.Logger that writes to slog. Raft narrates: its Info is
// our Debug, and what it repeats for as long as a peer is unreachable is too.
type raftLog struct {
	out  *slog.Logger
	name string
	args []any
}

func newRaftLog(out *slog.Logger) hclog.Logger { return &raftLog{out: out, name: "raft"} }

// unreachable are the beginnings of messages that repeat while a peer is away;
// the cluster reports a lost node by itself.
var unreachable = []string{
	"failed to appendEntries to", "failed to heartbeat to", "failed to contact", "failed to make requestVote RPC",
	"failed to make requestPreVote RPC", "failed to decode incoming command", "failed to flush response",
	"heartbeat timeout reached", "Election timeout reached", "pre-vote", "unable to get address for server",
	"appendEntries rejected", "failed to get previous log", "rejecting", "not part of stable configuration",
}

func level(l hclog.Level, msg string) slog.Level {
	if l < hclog.Warn {
		return slog.LevelDebug
	}
	for _, prefix := range unreachable {
		if strings.HasPrefix(msg, prefix) {
			return slog.LevelDebug
		}
	}
	if l == hclog.Warn {
		return slog.LevelInfo
	}
	return slog.LevelWarn
}

func (r *raftLog) Log(l hclog.Level, msg string, args ...any) {
	at := level(l, msg)
	if !r.out.Enabled(context.Background(), at) {
		return
	}
	args = append(args[:len(args):len(args)], r.args...)
	for i, a := range args {
		if f, ok := a.(hclog.Format); ok && len(f) > 0 {
			args[i] = fmt.Sprintf(fmt.Sprint(f[0]), f[1:]...)
		}
	}
	r.out.Log(context.Background(), at, r.name+": "+msg, args...)
}

func (r *raftLog) Trace(msg string, args ...any) { r.Log(hclog.Trace, msg, args...) }
func (r *raftLog) Debug(msg string, args ...any) { r.Log(hclog.Debug, msg, args...) }
func (r *raftLog) Info(msg string, args ...any)  { r.Log(hclog.Info, msg, args...) }
func (r *raftLog) Warn(msg string, args ...any)  { r.Log(hclog.Warn, msg, args...) }
func (r *raftLog) Error(msg string, args ...any) { r.Log(hclog.Error, msg, args...) }

func (r *raftLog) IsTrace() bool { return false }
func (r *raftLog) IsDebug() bool { return r.out.Enabled(context.Background(), slog.LevelDebug) }
func (r *raftLog) IsInfo() bool  { return r.IsDebug() }
func (r *raftLog) IsWarn() bool  { return r.out.Enabled(context.Background(), slog.LevelInfo) }
func (r *raftLog) IsError() bool { return r.out.Enabled(context.Background(), slog.LevelWarn) }

func (r *raftLog) ImpliedArgs() []any { return r.args }
func (r *raftLog) Name() string       { return r.name }

func (r *raftLog) With(args ...any) hclog.Logger {
	return &raftLog{out: r.out, name: r.name, args: append(r.args[:len(r.args):len(r.args)], args...)}
}

func (r *raftLog) Named(name string) hclog.Logger { return r.ResetNamed(r.name + "." + name) }

func (r *raftLog) ResetNamed(name string) hclog.Logger {
	return &raftLog{out: r.out, name: name, args: r.args}
}

// SetLevel does nothing: slog's handler decides.
func (r *raftLog) SetLevel(hclog.Level)  {}
func (r *raftLog) GetLevel() hclog.Level { return hclog.Debug }

func (r *raftLog) StandardLogger(o *hclog.StandardLoggerOptions) *log.Logger {
	return log.New(r.StandardWriter(o), "", 0)
}

func (r *raftLog) StandardWriter(*hclog.StandardLoggerOptions) io.Writer {
	return slog.NewLogLogger(r.out.Handler(), slog.LevelDebug).Writer()
}
