package runtimetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

// Fixture is what the suite needs besides a driver.
type Fixture struct {
	// Cluster is an ID that no other containers on the engine carry.
	Cluster string
	// Image is the ID of the image that BuildImage makes, or something that
	// behaves like it.
	Image string
}

// patience is how long the suite waits for an engine to do what it must.
const patience = 30 * time.Second

// Run runs the suite. Each test gets a driver of its own; what it left behind
// is removed.
func Run(t *testing.T, newDriver func(*testing.T) (runtime.Driver, Fixture)) {
	for name, test := range map[string]func(*testing.T, *bench){
		"lifecycle":      testLifecycle,
		"idempotence":    testIdempotence,
		"exit code":      testExitCode,
		"restart":        testRestart,
		"grace":          testGrace,
		"name conflict":  testNameConflict,
		"missing image":  testMissingImage,
		"missing things": testMissing,
		"list by label":  testListByLabel,
		"chosen ports":   testChosenPorts,
		"busy port":      testBusyPort,
		"health":         testHealth,
		"address":        testAddress,
		"events":         testEvents,
		"logs":           testLogs,
		"exec":           testExec,
		"stats":          testStats,
		"devices":        testDevices,
		"networks":       testNetworks,
		"addresses":      testAddresses,
		"two networks":   testTwoNetworks,
		"internal":       testInternal,
		"subnet clash":   testSubnetClash,
		"network anew":   testNetworkAnew,
		"images":         testImages,
		"peer image":     testPeerImage,
		"image layers":   testImageLayers,
		"remove image":   testRemoveImage,
		"cancellation":   testCancellation,
		"info":           testInfo,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			driver, fixture := newDriver(t)
			b := &bench{Driver: driver, fixture: fixture}
			t.Cleanup(func() { b.clean(t) })
			test(t, b)
		})
	}
}

// bench is a driver with what tests do to it over and over.
type bench struct {
	runtime.Driver
	fixture Fixture
	serial  int
}

// request is a container that runs the test program with the given words.
func (b *bench) request(words ...string) runtime.Create {
	b.serial++
	return runtime.Create{
		Name: fmt.Sprintf("muster-%s-%d", strings.ToLower(b.fixture.Cluster), b.serial),
		Labels: map[string]string{
			runtime.LabelCluster: b.fixture.Cluster,
			runtime.LabelStack:   "suite",
			runtime.LabelTask:    fmt.Sprintf("task-%d", b.serial),
		},
		Spec: cluster.ContainerSpec{
			Image:       cluster.Image{Ref: b.fixture.Image, Digest: b.fixture.Image},
			Command:     words,
			NetworkMode: "none",
		},
	}
}

// network lets the container join the stack's bridge.
func (b *bench) network(c runtime.Create) runtime.Create {
	c.Spec.NetworkMode = ""
	c.Networks = []runtime.Network{{
		Name:   "muster-" + strings.ToLower(b.fixture.Cluster),
		Labels: map[string]string{runtime.LabelCluster: b.fixture.Cluster, runtime.LabelStack: "suite"},
	}}
	return c
}

func (b *bench) create(t *testing.T, c runtime.Create) string {
	t.Helper()
	id, err := b.Create(t.Context(), c)
	if err != nil {
		t.Fatalf("Create: %v", err)
	}
	return id
}

func (b *bench) start(t *testing.T, c runtime.Create) string {
	t.Helper()
	id := b.create(t, c)
	if err := b.Start(t.Context(), id); err != nil {
		t.Fatalf("Start: %v", err)
	}
	return id
}

func (b *bench) inspect(t *testing.T, id string) runtime.Container {
	t.Helper()
	c, err := b.Inspect(t.Context(), id)
	if err != nil {
		t.Fatalf("Inspect: %v", err)
	}
	return c
}

// await waits until the container is as ok wants it.
func (b *bench) await(t *testing.T, id, what string, ok func(runtime.Container) bool) runtime.Container {
	t.Helper()
	var last runtime.Container
	await(t, what, func() bool {
		last = b.inspect(t, id)
		return ok(last)
	})
	return last
}

// ready waits until the test program has written its first line.
func (b *bench) ready(t *testing.T, id string) {
	t.Helper()
	await(t, "first line of "+id, func() bool {
		got := &gather{}
		want(t, "Logs", b.Logs(t.Context(), id, runtime.LogOptions{Tail: -1}, got), nil)
		return got.has("stdout: ready")
	})
}

func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	over := time.After(patience)
	for !ok() {
		select {
		case <-again.C:
		case <-over:
			t.Fatalf("not in %v: %s", patience, what)
		}
	}
}

// clean removes what the test left, and the driver.
func (b *bench) clean(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	left, err := b.List(ctx, b.fixture.Cluster)
	for _, c := range left {
		err = errors.Join(err, b.Remove(ctx, c.ID))
	}
	err = errors.Join(err, b.RemoveNetworks(ctx, b.fixture.Cluster, nil), b.Close())
	if err != nil {
		t.Errorf("clean up: %v", err)
	}
}

func exited(c runtime.Container) bool { return c.Status == runtime.StatusExited }

// want fails the test unless err is the wanted one.
func want(t *testing.T, what string, err, wanted error) {
	t.Helper()
	if !errors.Is(err, wanted) {
		t.Errorf("%s = %v, want %v", what, err, wanted)
	}
}
