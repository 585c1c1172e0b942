package filter

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/musterhq/muster/network"
)

// DefaultCheck is how often the kernel's rules are looked at.
const DefaultCheck = 5 * time.Second

// Config of a Filter. The zero value of every field is usable.
type Config struct {
	Logger *slog.Logger  // nil: slog.Default
	Check  time.Duration // how often the kernel's rules are looked at; 0: DefaultCheck
}

// Filter has the kernel hold the newest rules that it was given, in the network
// namespace that it runs in.
type Filter struct {
	cfg    Config
	log    *slog.Logger
	kernel kernel
	ways   map[way]bool  // that UDP clients may have come by
	wake   chan struct{} // there are newer rules
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	wanted  *network.Rules // nil before the first
	version uint64         // of wanted
	tried   uint64         // the newest version that was written, or could not be
	settled chan struct{}  // closed and replaced whenever tried grows
	state   state
}

// state is what became of the rules.
type state struct {
	effective bool
	virtual   bool
	problems  []string
}

// New starts a filter without rules: nothing is changed before the first Set.
// Close ends it.
func New(cfg Config) *Filter {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Check <= 0 {
		cfg.Check = DefaultCheck
	}
	f := &Filter{cfg: cfg, log: cfg.Logger, wake: make(chan struct{}, 1), settled: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	f.cancel = cancel
	f.wg.Go(func() { f.run(ctx) })
	return f
}

// Set replaces the rules and never blocks: they take effect in the background, and
// of several the newest. The rules are not to be changed after.
func (f *Filter) Set(r network.Rules) {
	f.mu.Lock()
	f.wanted = &r
	f.version++
	f.mu.Unlock()
	select {
	case f.wake <- struct{}{}:
	default: // a wake-up is pending; it will read these rules
	}
}

// Settle waits until the rules that were set before are in effect, or could not
// be brought to be; Effective tells.
func (f *Filter) Settle(ctx context.Context) error {
	f.mu.Lock()
	version := f.version
	f.mu.Unlock()
	for {
		f.mu.Lock()
		done, settled := f.tried >= version, f.settled
		f.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-settled:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Effective reports whether the kernel holds the rules. Where it does not, nothing
// of ours is in the kernel: published ports are to be served in user space.
func (f *Filter) Effective() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state.effective
}

// Virtual reports whether services are reached at their own addresses. Where they
// are not, names are to lead to the addresses of tasks.
func (f *Filter) Virtual() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state.effective && f.state.virtual
}

// Problems says what does not work, why, and what to do.
func (f *Filter) Problems() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.state.problems)
}

// Close stops to look after the rules. They stay, for a successor, unless they are
// to be removed.
func (f *Filter) Close(remove bool) {
	f.cancel()
	f.wg.Wait()
	if !remove {
		return
	}
	if err := f.kernel.remove(); err != nil {
		f.log.Warn("the packet filter's rules could not be removed", "table", tableName, "error", err)
	}
}

func (f *Filter) run(ctx context.Context) {
	check := time.NewTicker(f.cfg.Check)
	defer check.Stop()
	var now *network.Rules // what the kernel holds, nil: it is not known
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.wake:
		case <-check.C:
			now = f.look(now)
		}
		now = f.follow(now)
	}
}

// look returns the rules that the kernel holds, nil where somebody has changed
// what was written.
func (f *Filter) look(now *network.Rules) *network.Rules {
	if now == nil {
		return nil
	}
	if intact, err := f.kernel.intact(); !intact {
		f.log.Warn("somebody has changed our table of the packet filter; it is written anew", "table", tableName, "error", err)
		f.kernel.held = nil
		return nil
	}
	f.note(0, state{effective: true}.with(holdBridges(now.Bridges)))
	return now
}

// follow brings the kernel in line with the newest rules, and returns those that
// it holds.
func (f *Filter) follow(now *network.Rules) *network.Rules {
	f.mu.Lock()
	wanted, version := f.wanted, f.version
	f.mu.Unlock()
	if wanted == nil || wanted == now {
		return now
	}
	bridges := holdBridges(wanted.Bridges)
	if err := f.kernel.write(build(*wanted)); err != nil {
		f.failed(version, err)
		return nil
	}
	f.endFlows(wanted)
	f.note(version, state{effective: true}.with(bridges))
	return wanted
}

// failed leaves nothing behind, so that no packet goes by rules that are old.
func (f *Filter) failed(version uint64, err error) {
	if removeErr := f.kernel.remove(); removeErr != nil {
		f.log.Debug("the packet filter's rules could not be removed", "error", removeErr)
	}
	f.note(version, state{problems: []string{explainFilter(err)}})
}

// note publishes what became of a version (0: no new one), and logs problems once.
func (f *Filter) note(version uint64, s state) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range s.problems {
		if !slices.Contains(f.state.problems, p) {
			f.log.Warn("the packet filter does not work as it should", "problem", p)
		}
	}
	f.state = s
	if version > f.tried {
		f.tried = version
		close(f.settled)
		f.settled = make(chan struct{})
	}
}
