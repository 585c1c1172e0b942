package fake

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/musterhq/muster/runtime"
)

// Config is a fake's clock and cast. The zero value keeps real time and runs
// every container until it is stopped.
type Config struct {
	Now func() time.Time
	// AfterFunc calls f after d; stop keeps it from it, as time.AfterFunc's.
	AfterFunc func(d time.Duration, f func()) (stop func() bool)
	// Behave says how a container behaves once it is started.
	Behave func(runtime.Create) Behaviour
}

// Behaviour is the script of a container.
type Behaviour struct {
	ExitAfter time.Duration // since its start; 0: it runs until it is stopped
	ExitCode  int
	// StopTakes is the time from the stop signal to the exit; a longer one
	// than the grace ends in a kill (exit code 137).
	StopTakes time.Duration
	StopCode  int
	// HealthyAfter is when a container with a health check becomes healthy;
	// negative: it becomes unhealthy instead, after the absolute value.
	HealthyAfter time.Duration
	// MilliCPU and Memory (bytes) are what it uses all the time while it runs.
	MilliCPU, Memory int64
	Output           []Line                          // written at every start
	Exec             func(context.Context, Exec) int // nil: exit code 0
}

// Line is a line of output.
type Line struct{ Stream, Text string }

// Exec is a command that is run in a container.
type Exec = runtime.Exec

// Driver is an engine in memory, safe for concurrent use.
type Driver struct {
	now    func() time.Time
	after  func(time.Duration, func()) func() bool
	behave func(runtime.Create) Behaviour

	mu          sync.Mutex
	containers  map[string]*container      // by ID
	networks    map[string]runtime.Network // by name
	images      map[string]runtime.Image   // by ID
	layers      map[string]layered         // by the ID of an image that has some
	remote      map[string]string          // reference in the registry to digest
	faults      map[Op]*Fault
	calls       map[Op]int
	subscribers map[*subscriber]struct{}
	loseEvents  bool
	down        bool
	serial      int
	nextPort    uint16
	addresses   uint16 // given so far
}

var (
	_ runtime.Driver  = (*Driver)(nil)
	_ runtime.Builder = (*Driver)(nil)
)

// firstPort is where engine-chosen host ports begin.
const firstPort = 32768

// New makes an engine without containers or images.
func New(c Config) *Driver {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.AfterFunc == nil {
		c.AfterFunc = func(d time.Duration, f func()) func() bool { return time.AfterFunc(d, f).Stop }
	}
	if c.Behave == nil {
		c.Behave = func(runtime.Create) Behaviour { return Behaviour{} }
	}
	return &Driver{
		now: c.Now, after: c.AfterFunc, behave: c.Behave,
		containers:  map[string]*container{},
		networks:    map[string]runtime.Network{},
		images:      map[string]runtime.Image{},
		layers:      map[string]layered{},
		remote:      map[string]string{},
		faults:      map[Op]*Fault{},
		calls:       map[Op]int{},
		subscribers: map[*subscriber]struct{}{},
		nextPort:    firstPort,
	}
}

// Close ends the event streams and stops every timer, as if the host were
// switched off.
func (d *Driver) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.containers {
		c.stopTimers()
	}
	d.breakStreams()
	return nil
}

// Snapshot returns all containers, oldest first, without the faults of List.
func (d *Driver) Snapshot() []runtime.Container {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.list(func(*container) bool { return true })
}

// Created returns the request that the container was made from.
func (d *Driver) Created(id string) (runtime.Create, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.find(id)
	if c == nil {
		return runtime.Create{}, false
	}
	return c.request, true
}

// Networks returns the networks by name, each as it was asked for.
func (d *Driver) Networks() map[string]runtime.Network {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.networks)
}

// Ping answers unless a fault says otherwise.
func (d *Driver) Ping(ctx context.Context) error {
	return d.do(ctx, OpPing, "", func() error { return nil })
}

// Info describes a machine of four cores and 8 GiB.
func (d *Driver) Info(ctx context.Context) (out runtime.Info, err error) {
	err = d.do(ctx, OpInfo, "", func() error {
		out = runtime.Info{EngineVersion: "fake", OS: "linux", Arch: "amd64", MilliCPU: 4000, Memory: 8 << 30}
		return nil
	})
	return out, err
}

// list returns the containers that match, oldest first. The lock is held.
func (d *Driver) list(match func(*container) bool) []runtime.Container {
	out := []runtime.Container{}
	for _, c := range d.containers {
		if match(c) {
			out = append(out, c.seen())
		}
	}
	slices.SortFunc(out, func(a, b runtime.Container) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	return out
}

// find returns the container of that ID or name, or nil. The lock is held.
func (d *Driver) find(id string) *container {
	if c, ok := d.containers[id]; ok {
		return c
	}
	for _, c := range d.containers {
		if c.request.Name == id {
			return c
		}
	}
	return nil
}

// hash makes an ID of 64 hexadecimal digits.
func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}
