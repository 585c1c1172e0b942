package agent

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

// Pace of watching the container engine.
const (
	engineEvery  = 2 * time.Second
	engineAgain  = 500 * time.Millisecond // after a ping that failed
	engineMisses = 3                      // pings in a row until the engine counts as failed
	infoTimeout  = 10 * time.Second
)

// engineWatch is what is known of the container engine's health.
type engineWatch struct {
	mu      sync.Mutex
	err     string
	watched bool
	changed chan struct{}
}

// verdict is why the engine counts as failed, "" if it does not, and whether
// that is known yet.
func (w *engineWatch) verdict() (failure string, watched bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err, w.watched
}

// watchEngine pings the engine; several misses in a row make the node
// unschedulable, one answer makes it schedulable again.
func (m *member) watchEngine(ctx context.Context) {
	misses := 0
	for ctx.Err() == nil {
		err := m.a.host.Engine.Ping(ctx)
		pause := engineEvery
		switch {
		case err == nil:
			misses = 0
			m.engine.set("")
		case ctx.Err() == nil:
			pause = engineAgain
			if misses++; misses >= engineMisses {
				m.engine.set(engineFailure(err))
			}
		}
		sleep(ctx, pause)
	}
}

func (w *engineWatch) set(failure string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.watched && w.err == failure {
		return
	}
	w.err, w.watched = failure, true
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

// askEngine fills in what the engine says of itself.
func (a *Agent) askEngine(ctx context.Context, n *cluster.Node) error {
	ctx, cancel := context.WithTimeout(ctx, infoTimeout)
	defer cancel()
	info, err := a.host.Engine.Info(ctx)
	if err != nil {
		return err
	}
	n.OS, n.Arch, n.EngineVersion, n.EngineLabels = info.OS, info.Arch, info.EngineVersion, info.Labels
	if info.DataRoot != "" {
		if _, size, err := room(info.DataRoot); err == nil {
			n.Capacity.Disk = a.capacity(cluster.Resources{Disk: size}).Disk
		}
	}
	return nil
}

// engineFailure words why the engine counts as failed.
func engineFailure(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "does not answer in time"
	}
	text := err.Error()
	if _, cause, ok := strings.Cut(text, runtime.ErrEngine.Error()+": "); ok {
		text = cause
	}
	return "does not answer: " + text
}
