package controller

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/health"
	"github.com/musterhq/muster/cluster/state"
)

// fakeStore is a log of one node around a world's state. Its hooks may be
// replaced before the store is used.
type fakeStore struct {
	mu       sync.Mutex
	w        *world
	watchers []*fakeWatcher
	made     []proposal

	barrier func(ctx context.Context) error
	// refuse stands in for the commit of a proposal when it is set.
	refuse func(ctx context.Context, r state.Reconcile) (state.Result, error)
	// afterView runs once, after the view was taken.
	afterView func()
}

type proposal struct {
	at time.Time
	state.Reconcile
}

func newFakeStore(w *world) *fakeStore {
	return &fakeStore{w: w, barrier: func(context.Context) error { return nil }}
}

func (s *fakeStore) View() state.View {
	s.mu.Lock()
	v, hook := s.w.st.View(), s.afterView
	s.afterView = nil
	s.mu.Unlock()
	if hook != nil {
		hook()
	}
	return v
}

func (s *fakeStore) Barrier(ctx context.Context) error { return s.barrier(ctx) }

func (s *fakeStore) Propose(ctx context.Context, c state.Command) (state.Result, error) {
	if err := ctx.Err(); err != nil {
		return state.Result{}, err
	}
	r := c.Body.(state.Reconcile)
	s.mu.Lock()
	s.made = append(s.made, proposal{time.Now(), r})
	s.mu.Unlock()
	if s.refuse != nil {
		return s.refuse(ctx, r)
	}
	return s.commit(r), nil
}

// commit applies a command and wakes the watchers.
func (s *fakeStore) commit(b state.Body) state.Result {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.w.now = time.Now()
	res := s.w.try(b)
	for _, w := range s.watchers {
		w.mark(res.Changes)
	}
	return res
}

// proposals are those that were made so far.
func (s *fakeStore) proposals() []proposal {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.made)
}

func (s *fakeStore) Watch() Watcher {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := &fakeWatcher{store: s, c: make(chan struct{}, 1), all: true}
	w.c <- struct{}{}
	s.watchers = append(s.watchers, w)
	return w
}

type fakeWatcher struct {
	store *fakeStore
	c     chan struct{}
	all   bool
	list  []state.Change
}

func (w *fakeWatcher) mark(list []state.Change) {
	if len(list) == 0 {
		return
	}
	w.list = append(w.list, list...)
	select {
	case w.c <- struct{}{}:
	default:
	}
}

func (w *fakeWatcher) C() <-chan struct{} { return w.c }

func (w *fakeWatcher) Changes() ([]state.Change, bool) {
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	list, all := w.list, w.all
	w.list, w.all = nil, false
	return list, all
}

func (w *fakeWatcher) Close() {
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	w.store.watchers = slices.DeleteFunc(w.store.watchers, func(o *fakeWatcher) bool { return o == w })
}

// fakeProber dials hosts: each address does what was set for it, others accept.
// A dial of a silent host takes its whole time-out.
type fakeProber struct {
	mu     sync.Mutex
	dead   map[string]health.Outcome
	dialed map[string]int
	asked  map[cluster.NodeID]int
}

func newFakeProber() *fakeProber {
	return &fakeProber{dead: map[string]health.Outcome{}, dialed: map[string]int{}, asked: map[cluster.NodeID]int{}}
}

func (p *fakeProber) set(address string, o health.Outcome) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dead[address] = o
}

func (p *fakeProber) Dial(ctx context.Context, address string, timeout time.Duration) health.Outcome {
	p.mu.Lock()
	o, ok := p.dead[address]
	p.dialed[address]++
	p.mu.Unlock()
	if !ok {
		return health.Accepted
	}
	if o == health.Silent {
		select {
		case <-time.After(timeout):
		case <-ctx.Done():
		}
	}
	return o
}

func (p *fakeProber) Ask(ctx context.Context, by cluster.NodeID, address string, tries int) (health.Outcome, error) {
	p.mu.Lock()
	p.asked[by]++
	_, cut := p.dead[string(by)]
	p.mu.Unlock()
	if cut {
		<-ctx.Done()
		return 0, errors.New("no answer")
	}
	return Dial(ctx, p, address, tries, 500*time.Millisecond), nil
}

func (p *fakeProber) count(address string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dialed[address]
}

// pass lets a bubble's time go by until everything in it waits.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// leader is a controller that leads within a synctest bubble.
type leader struct {
	*Controller
	t      *testing.T
	store  *fakeStore
	prober *fakeProber
	stop   func() // ends the term and waits for it
}

// newLeader makes the controller of the world's node a.
func newLeader(t *testing.T, w *world) *leader {
	l := &leader{t: t, store: newFakeStore(w), prober: newFakeProber()}
	l.Controller = New(Config{
		Self: "a", Store: l.store, Prober: l.prober, Logger: slog.New(slog.DiscardHandler),
		Evidence: func() health.Evidence { return health.Evidence{} },
	})
	return l
}

// lead begins a term; it ends with the test at the latest.
func (l *leader) lead() {
	ctx, cancel := context.WithCancel(l.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.Lead(ctx)
	}()
	l.stop = sync.OnceFunc(func() {
		cancel()
		<-done
	})
	l.t.Cleanup(l.stop)
}

// beat lets a node send heartbeats until the returned function is called.
func (l *leader) beat(node cluster.NodeID, every time.Duration) (stop func()) {
	return l.beatWith(every, func() api.Heartbeat { return api.Heartbeat{Node: node} })
}

// beatWith is beat with more to say.
func (l *leader) beatWith(every time.Duration, say func() api.Heartbeat) (stop func()) {
	ctx, cancel := context.WithCancel(l.t.Context())
	var job sync.WaitGroup
	job.Go(func() {
		for ctx.Err() == nil {
			l.Heartbeat(say())
			select {
			case <-ctx.Done():
			case <-time.After(every):
			}
		}
	})
	stop = sync.OnceFunc(func() {
		cancel()
		job.Wait()
	})
	l.t.Cleanup(stop)
	return stop
}
