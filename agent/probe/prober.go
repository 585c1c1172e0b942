package probe

import (
	"context"
	"io"
	"net/netip"
	"reflect"
	"sync"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

// Engine runs a command in a container; see runtime.Driver.
type Engine interface {
	Exec(ctx context.Context, id string, e runtime.Exec) (exitCode int, err error)
}

// Target is one run of a container that is checked.
type Target struct {
	Container string
	Started   time.Time // of the run
	// Address is the task's own; the zero value: not known yet, which fails the
	// checks that need it.
	Address netip.Addr
	Probe   *cluster.Probe
	// Before is what an earlier agent knew of the run; HealthStarting: nothing.
	Before cluster.Health
}

// Verdict is what the checks of a run have come to.
type Verdict struct {
	Health cluster.Health
	Why    string // of an unhealthy one: the failure that made it so, for people
}

// Prober checks what it is told to. Its methods are safe for concurrent use.
type Prober struct {
	engine Engine
	news   chan struct{} // holds a token when a verdict has changed

	mu      sync.Mutex
	runs    map[string]*run // by container
	closed  bool
	running sync.WaitGroup
}

// run is the checks of one target.
type run struct {
	target Target
	cancel context.CancelFunc

	verdict *Verdict // nil: no check has ended; under the prober's lock
}

// New makes a prober that checks nothing yet. Close ends it.
func New(engine Engine) *Prober {
	return &Prober{engine: engine, news: make(chan struct{}, 1), runs: map[string]*run{}}
}

// Watch replaces what is checked. The checks of a target that stays the same, but
// for Before, go on; all others begin anew.
func (p *Prober) Watch(targets []Target) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	wanted := make(map[string]bool, len(targets))
	for _, t := range targets {
		wanted[t.Container] = true
		old := p.runs[t.Container]
		if old != nil && old.target.same(t) {
			continue
		}
		if old != nil {
			old.cancel()
			if old.target.Started.Equal(t.Started) {
				t.Before = old.known(t.Before) // its address or its check has changed
			}
		}
		p.runs[t.Container] = p.begin(t)
	}
	for id, r := range p.runs {
		if !wanted[id] {
			r.cancel()
			delete(p.runs, id)
		}
	}
}

func (t Target) same(o Target) bool {
	return t.Started.Equal(o.Started) && t.Address == o.Address && reflect.DeepEqual(t.Probe, o.Probe)
}

// known is the health that r found, or else what was known before.
func (r *run) known(before cluster.Health) cluster.Health {
	if r.verdict != nil {
		return r.verdict.Health
	}
	return before
}

// Verdict is what the checks of that run of the container have come to; ok is
// false until the first has ended.
func (p *Prober) Verdict(container string, started time.Time) (v Verdict, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.runs[container]
	if r == nil || r.verdict == nil || !r.target.Started.Equal(started) {
		return Verdict{}, false
	}
	return *r.verdict, true
}

// News holds a token when a verdict has changed since the last was taken.
func (p *Prober) News() <-chan struct{} { return p.news }

// Close ends all checks and waits for them.
func (p *Prober) Close() {
	p.mu.Lock()
	p.closed = true
	for _, r := range p.runs {
		r.cancel()
	}
	p.mu.Unlock()
	p.running.Wait()
}

func (p *Prober) begin(t Target) *run {
	ctx, cancel := context.WithCancel(context.Background())
	r := &run{target: t, cancel: cancel}
	check := newCheck(p.engine, t)
	p.running.Go(func() {
		defer cancel()
		if c, ok := check.(io.Closer); ok {
			defer c.Close() // waits for what it left running
		}
		p.follow(ctx, r, check)
	})
	return r
}

// follow checks a target until ctx ends.
func (p *Prober) follow(ctx context.Context, r *run, c check) {
	t := r.target
	s := state{health: t.Before}
	for {
		begun := time.Now()
		failure := once(ctx, c, t.Probe.Patience())
		if ctx.Err() != nil {
			return
		}
		s = s.take(t.Probe, begun.Sub(t.Started), failure)
		p.judge(r, Verdict{Health: s.health, Why: s.why})
		select {
		case <-time.After(s.pause(t.Probe, time.Since(t.Started))):
		case <-ctx.Done():
			return
		}
	}
}

// once makes one check and returns why it failed, "" if it passed.
func once(ctx context.Context, c check, patience time.Duration) string {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := c.do(ctx)
	switch {
	case err == nil:
		return ""
	case ctx.Err() != nil:
		return c.name() + ": no answer within " + patience.String()
	}
	return c.name() + ": " + short(err.Error())
}

func (p *Prober) judge(r *run, v Verdict) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.verdict != nil && *r.verdict == v {
		return
	}
	r.verdict = &v
	select {
	case p.news <- struct{}{}:
	default:
	}
}
