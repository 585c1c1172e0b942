package runtimetest

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

func testLifecycle(t *testing.T, b *bench) {
	request := b.request("serve")
	request.Spec.Labels = map[string]string{"com.example": "kept"}
	id := b.create(t, request)
	c := b.inspect(t, id)
	if c.Status != runtime.StatusCreated || c.Name != request.Name || c.ID != id || c.Created.IsZero() || !c.Started.IsZero() {
		t.Errorf("created: %+v", c)
	}
	if c.Labels["com.example"] != "kept" || c.Labels[runtime.LabelTask] != request.Labels[runtime.LabelTask] {
		t.Errorf("labels = %v", c.Labels)
	}
	if err := b.Start(t.Context(), id); err != nil {
		t.Fatalf("Start: %v", err)
	}
	if c = b.inspect(t, request.Name); c.Status != runtime.StatusRunning || c.Started.IsZero() || c.Health != cluster.HealthNone {
		t.Errorf("running: %+v", c)
	}
	b.ready(t, id)
	if err := b.Stop(t.Context(), id, 10*time.Second); err != nil {
		t.Fatalf("Stop: %v", err)
	}
	if c = b.inspect(t, id); c.Status != runtime.StatusExited || c.ExitCode != 0 || c.Finished.Before(c.Started) {
		t.Errorf("stopped: %+v", c)
	}
	if err := b.Remove(t.Context(), id); err != nil {
		t.Fatalf("Remove: %v", err)
	}
	_, err := b.Inspect(t.Context(), id)
	want(t, "Inspect after Remove", err, runtime.ErrNotFound)
}

func testIdempotence(t *testing.T, b *bench) {
	id := b.start(t, b.request("serve"))
	want(t, "Start of a running container", b.Start(t.Context(), id), nil)
	for range 2 {
		want(t, "Stop", b.Stop(t.Context(), id, 10*time.Second), nil)
	}
	for range 2 {
		want(t, "Remove", b.Remove(t.Context(), id), nil)
	}
	want(t, "Stop of an absent container", b.Stop(t.Context(), id, time.Second), nil)
	running := b.start(t, b.request("serve"))
	want(t, "Remove of a running container", b.Remove(t.Context(), running), nil)
}

func testExitCode(t *testing.T, b *bench) {
	id := b.start(t, b.request("exit", "7"))
	if c := b.await(t, id, "exit", exited); c.ExitCode != 7 || c.Finished.IsZero() || c.OOM {
		t.Errorf("exited: %+v", c)
	}
}

func testRestart(t *testing.T, b *bench) {
	id := b.start(t, b.request("exit", "0"))
	first := b.await(t, id, "first exit", exited)
	if err := b.Start(t.Context(), id); err != nil {
		t.Fatalf("Start again: %v", err)
	}
	second := b.await(t, id, "second exit", func(c runtime.Container) bool {
		return exited(c) && c.Started.After(first.Started)
	})
	if second.ID != first.ID || !second.Created.Equal(first.Created) {
		t.Errorf("restarted %+v, want the same container as %+v", second, first)
	}
}

func testGrace(t *testing.T, b *bench) {
	id := b.start(t, b.request("stubborn"))
	b.ready(t, id)
	want(t, "Stop", b.Stop(t.Context(), id, time.Second), nil)
	if c := b.inspect(t, id); c.Status != runtime.StatusExited || c.ExitCode != 137 {
		t.Errorf("after its grace: %+v, want it killed", c)
	}
}

func testNameConflict(t *testing.T, b *bench) {
	request := b.request("serve")
	b.create(t, request)
	_, err := b.Create(t.Context(), request)
	want(t, "Create with a name in use", err, runtime.ErrConflict)
}

func testMissingImage(t *testing.T, b *bench) {
	for _, image := range []string{
		"sha256:00000000000000000000000000000000000000000000000000000000000000ff",
		"absent.invalid/nothing@sha256:00000000000000000000000000000000000000000000000000000000000000ff",
	} {
		request := b.request("serve")
		request.Spec.Image = cluster.Image{Ref: image, Digest: image}
		_, err := b.Create(t.Context(), request)
		want(t, "Create of "+image, err, runtime.ErrNotFound)
		if ok, err := b.HasImage(t.Context(), image); ok || err != nil {
			t.Errorf("HasImage(%s) = %v, %v, want false", image, ok, err)
		}
	}
}

func testMissing(t *testing.T, b *bench) {
	const id = "00000000000000000000000000000000000000000000000000000000000000ff"
	_, err := b.Inspect(t.Context(), id)
	want(t, "Inspect", err, runtime.ErrNotFound)
	want(t, "Start", b.Start(t.Context(), id), runtime.ErrNotFound)
	want(t, "Logs", b.Logs(t.Context(), id, runtime.LogOptions{Tail: -1}, &gather{}), runtime.ErrNotFound)
	_, err = b.Exec(t.Context(), id, runtime.Exec{Cmd: []string{"/testprogram"}})
	want(t, "Exec", err, runtime.ErrNotFound)
}

func testListByLabel(t *testing.T, b *bench) {
	running, ended := b.start(t, b.request("serve")), b.start(t, b.request("exit", "3"))
	created := b.create(t, b.request("serve"))
	b.await(t, ended, "exit", exited)
	for round := range 3 { // later lists may be answered from what was known
		all, err := b.List(t.Context(), b.fixture.Cluster)
		if err != nil {
			t.Fatalf("List: %v", err)
		}
		got := map[string]runtime.Container{}
		for _, c := range all {
			got[c.ID] = c
		}
		for _, id := range []string{running, ended, created} {
			if diff := cmp.Diff(b.inspect(t, id), got[id], cmpopts.EquateComparable(netip.Addr{})); diff != "" {
				t.Errorf("round %d: inspected, listed: %s", round, diff)
			}
		}
		if len(got) != 3 {
			t.Errorf("round %d: listed %d containers, want 3", round, len(got))
		}
	}
	if err := b.Stop(t.Context(), running, 10*time.Second); err != nil {
		t.Fatal(err)
	}
	all, err := b.List(t.Context(), b.fixture.Cluster)
	if err != nil {
		t.Fatalf("List: %v", err)
	}
	for _, c := range all {
		if c.ID == running && !exited(c) {
			t.Errorf("listed after its stop: %+v", c)
		}
	}
	if all, err := b.List(t.Context(), b.fixture.Cluster+"-other"); err != nil || len(all) != 0 {
		t.Errorf("another cluster: %v, %v, want none", all, err)
	}
}

// testAddress: a container that runs says where it answers, and no two the same.
func testAddress(t *testing.T, b *bench) {
	id := b.create(t, b.network(b.request("serve")))
	if c := b.inspect(t, id); c.Address.IsValid() {
		t.Errorf("before its start it answers at %s", c.Address)
	}
	if err := b.Start(t.Context(), id); err != nil {
		t.Fatalf("Start: %v", err)
	}
	first, second := b.inspect(t, id), b.inspect(t, b.start(t, b.network(b.request("serve"))))
	if !first.Address.Is4() || !second.Address.Is4() || first.Address == second.Address {
		t.Errorf("two containers answer at %s and %s", first.Address, second.Address)
	}
	if err := b.Stop(t.Context(), id, 10*time.Second); err != nil {
		t.Fatalf("Stop: %v", err)
	}
	if c := b.inspect(t, id); c.Address.IsValid() {
		t.Errorf("after its end it answers at %s", c.Address)
	}
	if c := b.inspect(t, b.start(t, b.request("serve"))); c.Address.IsValid() {
		t.Errorf("without a network it answers at %s", c.Address)
	}
}

func testHealth(t *testing.T, b *bench) {
	check := func(words ...string) runtime.Create {
		c := b.request("serve")
		c.Spec.Healthcheck = &cluster.Healthcheck{
			Test: append([]string{"CMD", "/testprogram"}, words...), Retries: 1,
			Interval: 200 * time.Millisecond, Timeout: 10 * time.Second,
		}
		return c
	}
	good, bad := b.start(t, check("echo", "fine")), b.start(t, check("exit", "1"))
	b.await(t, good, "healthy", func(c runtime.Container) bool { return c.Health == cluster.HealthHealthy })
	b.await(t, bad, "unhealthy", func(c runtime.Container) bool { return c.Health == cluster.HealthUnhealthy })
}

func testEvents(t *testing.T, b *bench) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	events, err := b.Events(ctx, b.fixture.Cluster)
	if err != nil {
		t.Fatalf("Events: %v", err)
	}
	request := b.request("exit", "0")
	id := b.start(t, request)
	over := time.After(patience)
	for _, action := range []string{"start", "die"} {
		select {
		case e := <-events:
			if e.Action != action || e.ContainerID != id || e.At.IsZero() || e.Labels[runtime.LabelTask] != request.Labels[runtime.LabelTask] {
				t.Errorf("event = %+v, want %s of %s", e, action, id)
			}
		case <-over:
			t.Fatalf("no event %q in %v", action, patience)
		}
	}
	cancel()
	for {
		select {
		case _, ok := <-events:
			if !ok {
				return
			}
		case <-over:
			t.Fatal("the stream did not end with its context")
		}
	}
}

func testCancellation(t *testing.T, b *bench) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := b.List(ctx, b.fixture.Cluster)
	want(t, "List", err, context.Canceled)
	_, err = b.Create(ctx, b.request("serve"))
	want(t, "Create", err, context.Canceled)
}

func testInfo(t *testing.T, b *bench) {
	if err := b.Ping(t.Context()); err != nil {
		t.Errorf("Ping: %v", err)
	}
	i, err := b.Info(t.Context())
	if err != nil || i.MilliCPU < 1000 || i.Memory <= 0 || i.OS != "linux" || i.Arch == "" || i.EngineVersion == "" {
		t.Errorf("Info = %+v, %v", i, err)
	}
}

func testStats(t *testing.T, b *bench) {
	id := b.start(t, b.request("serve"))
	b.ready(t, id)
	first, err := b.Stats(t.Context(), id)
	if err != nil {
		t.Fatalf("Stats: %v", err)
	}
	if first.At.IsZero() || first.Memory < 0 || first.CPU < 0 {
		t.Errorf("Stats: %+v", first)
	}
	second, err := b.Stats(t.Context(), id)
	if err != nil {
		t.Fatalf("Stats: %v", err)
	}
	if !second.At.After(first.At) || second.CPU < first.CPU {
		t.Errorf("Stats went back: %+v, then %+v", first, second)
	}
	if err := b.Stop(t.Context(), id, 0); err != nil {
		t.Fatalf("Stop: %v", err)
	}
	_, err = b.Stats(t.Context(), id)
	want(t, "Stats of a stopped container", err, runtime.ErrNotFound)
	_, err = b.Stats(t.Context(), "nothing")
	want(t, "Stats of no container", err, runtime.ErrNotFound)
}
