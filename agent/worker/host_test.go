package worker

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
	"github.com/musterhq/muster/runtime/fake"
)

const digest = "web@sha256:1"

// host is a machine in virtual time: a fake engine and a worker that can be
// restarted on it.
type host struct {
	t      *testing.T
	engine *fake.Driver
	dir    string
	fetch  func(context.Context, string) error

	worker *Worker
	stop   func()

	mu      sync.Mutex
	refuse  error // what reports are answered with
	reports [][]Observation
	latest  map[cluster.TaskID]cluster.Observed
	index   uint64
}

// inBubble runs f on a host in a synctest bubble, with the image present and
// containers that behave as told.
func inBubble(t *testing.T, behave func(runtime.Create) fake.Behaviour, f func(t *testing.T, h *host)) {
	synctest.Test(t, func(t *testing.T) {
		h := &host{
			t: t, engine: fake.New(fake.Config{Behave: behave}), dir: t.TempDir(),
			latest: map[cluster.TaskID]cluster.Observed{},
			fetch:  func(context.Context, string) error { return errors.New("no registry") },
		}
		h.engine.AddImage(digest)
		defer func() {
			h.stop()
			_ = h.engine.Close()
			synctest.Wait()
		}()
		h.boot()
		f(t, h)
	})
}

func (h *host) Fetch(ctx context.Context, digest string) error { return h.fetch(ctx, digest) }

func (h *host) report(_ context.Context, batch []Observation) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.refuse != nil {
		return h.refuse
	}
	h.reports = append(h.reports, batch)
	for _, o := range batch {
		h.latest[o.Task] = o.Observed
	}
	return nil
}

// boot starts a worker, the first or the next.
func (h *host) boot() {
	w, err := New(Config{
		Engine: h.engine, Images: h, Host: Host{ClusterID: "c1", NodeID: "n1", NodeName: "alpha"},
		Address: "10.0.0.1", DataDir: h.dir, Report: h.report, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		h.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(h.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Run(ctx)
	}()
	h.worker, h.stop = w, func() { cancel(); <-done }
	synctest.Wait()
}

// assign sends the next set, of a voter that says nothing of services.
func (h *host) assign(all ...Assignment) { h.assignOf(nil, all...) }

func (h *host) assignOf(services []cluster.ServiceID, all ...Assignment) {
	h.assignSet(Set{Assignments: all, Services: services})
}

func (h *host) assignSet(s Set) {
	h.index++
	s.Epoch, s.Index = 1, h.index
	h.worker.Assign(s)
	synctest.Wait()
}

// pass lets time pass.
func (h *host) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (h *host) observed(id cluster.TaskID) cluster.Observed {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.latest[id]
}

// expect fails the test unless the last report of the task is of that phase.
func (h *host) expect(id cluster.TaskID, p cluster.Phase) cluster.Observed {
	h.t.Helper()
	o := h.observed(id)
	if o.Phase != p {
		h.t.Fatalf("%s: task %s was reported %+v, want phase %q; actions %v", time.Now().Format("05.000"), id, o, p, h.worker.Snapshot().Actions)
	}
	return o
}

// box returns the one container of the task.
func (h *host) box(id cluster.TaskID) runtime.Container {
	h.t.Helper()
	var found []runtime.Container
	for _, c := range h.engine.Snapshot() {
		if c.Labels[runtime.LabelTask] == string(id) {
			found = append(found, c)
		}
	}
	if len(found) != 1 {
		h.t.Fatalf("task %s has %d containers, want 1", id, len(found))
	}
	return found[0]
}

func (h *host) setRefusal(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.refuse = err
}
