package worker_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/musterhq/muster/agent/worker"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
	"github.com/musterhq/muster/runtime/docker"
	"github.com/musterhq/muster/runtime/runtimetest"
)

// bench is a worker on a real engine.
type bench struct {
	t         *testing.T
	engine    *docker.Driver
	clusterID string
	dir       string
	index     uint64

	mu     sync.Mutex
	latest map[cluster.TaskID]cluster.Observed
	news   chan struct{}
}

func newBench(t *testing.T) *bench {
	t.Helper()
	host := os.Getenv("MUSTER_TEST_DOCKER")
	engine, err := docker.New(docker.Config{Host: host})
	if err != nil {
		t.Fatal(err)
	}
	if err := engine.Ping(t.Context()); err != nil {
		if host != "" {
			t.Fatalf("MUSTER_TEST_DOCKER=%s: %v", host, err)
		}
		t.Skipf("no Docker Engine (set MUSTER_TEST_DOCKER to use another than the default): %v", err)
	}
	b := &bench{
		t: t, engine: engine, dir: t.TempDir(), clusterID: fmt.Sprintf("worker-%x", time.Now().UnixNano()),
		latest: map[cluster.TaskID]cluster.Observed{}, news: make(chan struct{}, 1),
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		left, err := engine.List(ctx, b.clusterID)
		if err != nil {
			t.Errorf("clean up: %v", err)
		}
		for _, c := range left {
			if err := engine.Remove(ctx, c.ID); err != nil {
				t.Errorf("clean up: %v", err)
			}
		}
		if err := engine.RemoveNetworks(ctx, b.clusterID, nil); err != nil {
			t.Errorf("clean up: %v", err)
		}
		_ = engine.Close()
	})
	return b
}

func (b *bench) report(_ context.Context, batch []worker.Observation) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, o := range batch {
		b.latest[o.Task] = o.Observed
	}
	select {
	case b.news <- struct{}{}:
	default:
	}
	return nil
}

func (b *bench) Fetch(context.Context, string) error { return runtime.ErrNotFound }

// boot runs a worker; end stops it and leaves its containers.
func (b *bench) boot() (w *worker.Worker, end func()) {
	b.t.Helper()
	w, err := worker.New(worker.Config{
		Engine: b.engine, Images: b, Host: worker.Host{ClusterID: b.clusterID, NodeID: "n1", NodeName: "alpha"},
		Address: "127.0.0.1", DataDir: b.dir, Report: b.report,
	})
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Run(ctx)
	}()
	return w, func() { cancel(); <-done }
}

// await waits until a task is observed as ok wants it.
func (b *bench) await(id cluster.TaskID, what string, ok func(cluster.Observed) bool) cluster.Observed {
	b.t.Helper()
	over := time.After(time.Minute)
	for {
		b.mu.Lock()
		o := b.latest[id]
		b.mu.Unlock()
		if ok(o) {
			return o
		}
		select {
		case <-b.news:
		case <-over:
			b.t.Fatalf("not in a minute: %s; last %+v", what, o)
		}
	}
}

func running(o cluster.Observed) bool { return o.Phase == cluster.PhaseRunning }

func TestRealEngine(t *testing.T) {
	b := newBench(t)
	image := runtimetest.BuildImage(t, b.engine)
	assignment := worker.Assignment{
		Stack: b.clusterID,
		Task:  cluster.Task{ID: "01ARZ3NDEKTSV4RRFFQ69G5FAV", Service: "live/web", Slot: 1, Generation: 1, Desired: cluster.Running},
		Template: cluster.Template{
			Container: cluster.ContainerSpec{Image: cluster.Image{Ref: "x", Digest: image}, Command: []string{"http", ":80"}},
			Ports:     []cluster.Port{{Target: 80, Published: 8080, Protocol: "tcp", Mode: cluster.Ingress}},
		},
	}
	id := assignment.Task.ID
	assign := func(w *worker.Worker) {
		b.index++
		w.Assign(worker.Set{Epoch: 1, Index: b.index, Assignments: []worker.Assignment{assignment}})
	}

	w, end := b.boot()
	assign(w)
	first := b.await(id, "running", running)
	if len(first.Ports) != 1 || first.Ports[0].Target != 80 || first.Ports[0].Host == 0 {
		t.Errorf("ports = %+v", first.Ports)
	}

	end()
	b.mu.Lock()
	clear(b.latest)
	b.mu.Unlock()
	w, end = b.boot()
	defer func() { end() }()
	if again := b.await(id, "adopted", running); !again.Started.Equal(first.Started) || again.ContainerID != first.ContainerID || again.Restarts != 0 {
		t.Errorf("adopted %+v, was %+v", again, first)
	}

	if err := b.engine.Stop(t.Context(), first.ContainerID, 0); err != nil {
		t.Fatal(err)
	}
	b.await(id, "restarted in place", func(o cluster.Observed) bool {
		return running(o) && o.Restarts == 1 && o.ContainerID == first.ContainerID
	})
	if err := b.engine.Remove(t.Context(), first.ContainerID); err != nil {
		t.Fatal(err)
	}
	b.await(id, "made anew", func(o cluster.Observed) bool {
		return running(o) && o.Restarts == 2 && o.ContainerID != first.ContainerID
	})

	assignment.Task.Desired = cluster.Stopped
	assign(w)
	b.await(id, "stopped", func(o cluster.Observed) bool { return o.Phase == cluster.PhaseExited && !o.Final })
}
