package sim

import (
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/integration/invariants"
	"github.com/musterhq/muster/lb"
)

// Config says what to run. The zero value of a field but Seed means that the
// seed chooses.
type Config struct {
	Seed     uint64
	Nodes    int           // hosts
	Duration time.Duration // virtual, of faults and changes
	Plant    Plant         // a bug to plant; the zero value plants none
	Trace    io.Writer     // gets every step as a line; nil: none
}

// Result is what a run gave.
type Result struct {
	Config  Config // as it was given
	Hash    uint64 // of all steps: the same seed gives the same
	Steps   int
	Commits int
	Virtual time.Duration
	Failure *Failure // nil: every invariant held
}

// Failure is the first broken invariant of a run.
type Failure struct {
	invariants.Violation
	At    time.Duration // virtual
	Steps []string      // the last ones before
	State []string      // what the cluster says of itself
}

// World is one run.
type World struct {
	cfg   Config
	rand  *rand.Rand
	now   time.Duration // since the start
	queue queue
	seq   uint64
	steps int
	trace trace
	ids   *ulid.MonotonicEntropy

	hosts    []*host
	cut      map[[2]int]bool // ways that are cut, by host index, from and to; looked up only
	registry bool            // gives images
	raft     *raft
	tables   map[uint64]*lb.Table // by index; looked up only
	users    *users
	watch    *watch
	skewed   bool // the hosts' clocks differ
	mixed    bool // some hosts begin with the release before this one
	quiet    bool // nothing is disturbed any more
	failure  *Failure
}

// start is when virtual time begins.
var start = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// Limits of the quiet part: a flapping node can be kept from new tasks for ten
// minutes, and a seat that failed waits for up to five. An update takes its
// seats one after the other, each with an image to fetch, a start and the
// slowest of health checks.
const (
	settleWithin = 20 * time.Minute
	seatWithin   = 20 * time.Second
	settleEvery  = 5 * time.Second
	settledFor   = 10 * time.Second
)

// Run runs one seed.
func Run(cfg Config) (r Result) {
	w := newWorld(cfg)
	defer func() {
		if p := recover(); p != nil {
			w.fail(invariants.Violation{Rule: "panic", Detail: fmt.Sprint(p, "\n", stack())})
		}
		r = Result{
			Config: cfg, Hash: w.trace.hash, Steps: w.steps, Commits: w.raft.commands,
			Virtual: w.now, Failure: w.failure,
		}
	}()
	w.boot()
	w.until(w.cfg.Duration)
	w.heal()
	w.settle()
	return r
}

func newWorld(cfg Config) *World {
	w := &World{cfg: cfg, rand: rand.New(rand.NewPCG(cfg.Seed, 0x6d7573746572)), cut: map[[2]int]bool{}, registry: true, tables: map[uint64]*lb.Table{}}
	w.trace = trace{hash: 14695981039346656037, out: cfg.Trace}
	w.ids = ulid.Monotonic(entropy{w.rand}, 0)
	if w.cfg.Nodes == 0 {
		w.cfg.Nodes = w.size()
	}
	if w.cfg.Duration == 0 {
		w.cfg.Duration = w.between(30*time.Second, 90*time.Second)
		if w.large() {
			w.cfg.Duration /= 3
		}
	}
	w.raft = &raft{w: w, checked: !w.large() && w.chance(0.2)}
	return w
}

// size is how many hosts the world has: mostly so few that they meet each other
// all the time, in one of 40 worlds dozens, in one of 400 the 200 of a large
// cluster.
func (w *World) size() int {
	switch p := w.rand.Float64(); {
	case p < 1./400:
		return 200
	case p < 1./40:
		return 8 + w.rand.IntN(25)
	}
	return 3 + w.rand.IntN(5)
}

// large worlds do less, and check less often, so that they end in seconds.
func (w *World) large() bool { return w.cfg.Nodes > 40 }

// boot makes the hosts and the cluster, and sets users and faults to work.
func (w *World) boot() {
	w.skewed, w.mixed = w.chance(0.25), w.chance(0.2)
	for i := range w.cfg.Nodes {
		w.hosts = append(w.hosts, newHost(w, i))
	}
	w.watch = newWatch(w)
	w.raft.found()
	for _, h := range w.hosts {
		h.powerOn()
	}
	w.every(time.Second, w.gossip)
	w.users = newUsers(w)
	w.users.work()
	newFaults(w).work()
}

// settle waits until desired and actual agree, and stay so.
func (w *World) settle() {
	end := w.now + settleWithin + w.updating()
	since := time.Duration(-1)
	var last invariants.Violation
	for w.failure == nil {
		w.until(w.now + settleEvery)
		switch v := w.watch.unsettled(); {
		case len(v) > 0 && w.now >= end:
			w.fail(v[0])
		case len(v) > 0:
			since, last = -1, v[0]
			w.mix("unsettled", last.Detail, 0)
		case since < 0:
			since = w.now
		case w.now-since >= settledFor:
			return
		}
	}
}

// updating is how long the update of all seats of a service may take.
func (w *World) updating() time.Duration {
	longest := time.Duration(0)
	v := w.raft.newest()
	for s := range v.Services() {
		seats := s.Spec.Replicas
		if s.Spec.Mode == cluster.Global {
			seats = v.NodeCount()
		}
		longest = max(longest, time.Duration(seats)*(seatWithin+s.Spec.Update.Delay))
	}
	return longest
}

// fail ends the run.
func (w *World) fail(v invariants.Violation) {
	if w.failure == nil {
		w.failure = &Failure{Violation: v, At: w.now, Steps: w.trace.last(), State: w.dump()}
	}
}

func (w *World) failAll(list []invariants.Violation) {
	if len(list) > 0 {
		w.fail(list[0])
	}
}

// clock is true time.
func (w *World) clock() time.Time { return start.Add(w.now) }

// every repeats do for ever.
func (w *World) every(d time.Duration, do func()) {
	w.after(d, func() {
		do()
		w.every(d, do)
	})
}

// chance is true with the given probability.
func (w *World) chance(p float64) bool { return w.rand.Float64() < p }

// between is a time from lo to hi.
func (w *World) between(lo, hi time.Duration) time.Duration {
	return lo + time.Duration(w.rand.Int64N(int64(hi-lo)+1))
}

// pick chooses one; list is not empty.
func pick[T any](w *World, list []T) T { return list[w.rand.IntN(len(list))] }

// newID is a ULID of the given time.
func (w *World) newID(at time.Time) string {
	return ulid.MustNew(ulid.Timestamp(at), w.ids).String()
}

// entropy reads bytes from the world's chance.
type entropy struct{ r *rand.Rand }

func (e entropy) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(e.r.Uint32())
	}
	return len(p), nil
}
