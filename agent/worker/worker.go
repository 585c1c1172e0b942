package worker

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

// Engine is what the worker asks of a container engine; see runtime.Driver for
// the contracts.
type Engine interface {
	List(ctx context.Context, cluster string) ([]runtime.Container, error)
	Inspect(ctx context.Context, id string) (runtime.Container, error)
	Create(ctx context.Context, c runtime.Create) (id string, err error)
	Start(ctx context.Context, id string) error
	Stop(ctx context.Context, id string, grace time.Duration) error
	Remove(ctx context.Context, id string) error
	Events(ctx context.Context, cluster string) (<-chan runtime.Event, error)
	RemoveNetworks(ctx context.Context, cluster string, keep map[string]bool) error
}

// ImageFetcher gets an image onto this host, from its registry or a peer.
type ImageFetcher interface {
	Fetch(ctx context.Context, digest string) error
}

// Prober makes the node's own health checks.
type Prober interface {
	// Watch replaces what is checked. What goes on being checked is told again,
	// and its Before means nothing then.
	Watch([]Check)
	// Verdict is false until the first check of that run has ended.
	Verdict(container string, started time.Time) (Verdict, bool)
	// News holds a token when a verdict has changed.
	News() <-chan struct{}
}

// Config is what a worker is made of.
type Config struct {
	Engine  Engine
	Images  ImageFetcher
	Host    Host
	Address string // of this host, reported with running tasks
	DataDir string // holds the last set; it exists
	// Report hands observations on; an error means that they were not
	// accepted and are to be sent again.
	Report func(context.Context, []Observation) error
	// Hurry is called when tasks begin to wait for Served; nil: nobody tells.
	Hurry  func()
	Prober Prober // nil: no such check is made, and what needs one is never ready
	Logger *slog.Logger
	Limits Limits // the zero value: DefaultLimits
}

// Worker runs this host's containers. Its methods are safe for concurrent use;
// Run is called once.
type Worker struct {
	config   Config
	log      *slog.Logger
	view     *view
	reporter *reporter
	keeper   *keeper
	changed  chan struct{} // holds a token when there is a new set

	mu       sync.Mutex
	set      Set
	known    bool
	served   Position
	leaving  bool
	snapshot Snapshot
}

// Snapshot is what a worker knows and does.
type Snapshot struct {
	Epoch, Index uint64 // of the set that it acts on
	EngineUp     bool
	EngineError  string // why the engine is not up; "" before the first answer
	Observed     []Observation
	Containers   []runtime.Container // of this cluster, ended ones too
	Actions      []Action            // under way
}

// New makes a worker and loads the last set from disk. A set that cannot be
// read is no error: the cluster will send another.
func New(c Config) (*Worker, error) {
	if c.Engine == nil || c.Images == nil || c.Report == nil || c.Host.ClusterID == "" || c.DataDir == "" {
		return nil, errors.New("worker: Engine, Images, Report, DataDir and Host.ClusterID are required")
	}
	c.Limits = cmp.Or(c.Limits, DefaultLimits)
	log := cmp.Or(c.Logger, slog.Default())
	w := &Worker{
		config: c, log: log, view: newView(), changed: make(chan struct{}, 1),
		reporter: newReporter(c.Report, log), keeper: newKeeper(c.DataDir, log),
	}
	set, ok, err := load(c.DataDir)
	if err != nil {
		log.Warn("starting without the last assignments; running containers are left alone until the cluster sends some", "error", err)
	}
	w.set, w.known = set, ok
	w.snapshot.Epoch, w.snapshot.Index = set.Epoch, set.Index
	return w, nil
}

// Assign replaces what is assigned; a set that says nothing newer than the
// current one is ignored. The caller no longer changes s.
func (w *Worker) Assign(s Set) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.known {
		var news bool
		if s, news = w.set.Next(s); !news {
			return
		}
	}
	w.set, w.known = s, true
	signal(w.changed)
}

// Served notes what the balancers of all nodes go by: tasks that they have let go
// of can be stopped. What was true stays true: an older one, or the zero value, is
// no news.
func (w *Worker) Served(p Position) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.served.Before(p) {
		w.served = p
		signal(w.changed)
	}
}

// Leaving reports whether tasks wait for Served.
func (w *Worker) Leaving() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.leaving
}

func (w *Worker) servedBy() Position {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.served
}

// keepSnapshot reports whether tasks begin to leave.
func (w *Worker) keepSnapshot(s Snapshot, leaving bool) (begins bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	begins = leaving && !w.leaving
	w.snapshot, w.leaving = s, leaving
	return begins
}

// ResendAll reports everything again, to a leader that may not have it.
func (w *Worker) ResendAll() { w.reporter.resend() }

// Blind reports whether this worker has yet to see its containers, or to have
// all that it saw accepted.
func (w *Worker) Blind() bool {
	_, known := w.current()
	return !known || !w.Snapshot().EngineUp || len(w.reporter.pending()) > 0
}

// Snapshot returns what the worker knows; its contents are not to be changed.
func (w *Worker) Snapshot() Snapshot {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.snapshot
}

// Images are what this host's containers (image IDs) and tasks (digests) need.
func (w *Worker) Images() []string {
	var out []string
	for _, c := range w.Snapshot().Containers {
		out = append(out, c.Image)
	}
	set, _ := w.current()
	for i := range set.Assignments {
		out = append(out, imageOf(&set.Assignments[i]))
	}
	return out
}

// Run works until ctx ends, and returns when everything it started has ended.
// It stops no container.
func (w *Worker) Run(ctx context.Context) {
	l := newLoop(w)
	var running sync.WaitGroup
	running.Go(func() { w.reporter.run(ctx) })
	running.Go(func() { w.keeper.run(ctx) })
	running.Go(func() { l.follow(ctx) })
	l.run(ctx)
	running.Wait()
	l.running.Wait()
}

func (w *Worker) current() (Set, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.set, w.known
}

// assigned reports whether the task is in the current set.
func (w *Worker) assigned(id cluster.TaskID) bool {
	set, _ := w.current()
	for i := range set.Assignments {
		if set.Assignments[i].Task.ID == id {
			return true
		}
	}
	return false
}
