//go:build linux

package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/musterhq/muster/api/client"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/integration/fleet"
	"github.com/musterhq/muster/integration/lab"
)

// Config says what a run does.
type Config struct {
	Seed    uint64
	For     time.Duration // no fault begins after it; 0: every class once
	Classes []string      // staged in this order, again and again; none: all, shuffled
	Log     io.Writer
}

func (c Config) goesOn(rounds int, soFar time.Duration) bool {
	if c.For == 0 {
		return rounds < len(c.Classes)
	}
	return soFar < c.For
}

// Run is one run over a fleet of five hosts in one cluster.
type Run struct {
	Fleet *fleet.Fleet
	cfg   Config

	history *history
	seen    observations

	mu     sync.Mutex
	report Report
}

// errBroken ends a run at the first broken invariant: what comes after it shows
// no more.
var errBroken = errors.New("an invariant is broken")

// errNothing is a class's word that there is nothing that it could hit.
var errNothing = errors.New("nothing runs that it could hit")

// Start runs the seed's schedule. An error is about the run; what the cluster did
// wrong is in the report.
func Start(ctx context.Context, f *fleet.Fleet, cfg Config) (Report, error) {
	var next func() Step
	if len(cfg.Classes) == 0 {
		cfg.Classes = Classes()
		next = Schedule(cfg.Seed, cfg.Classes)
	} else {
		next = InTurn(cfg.Seed, cfg.Classes)
	}
	r := &Run{Fleet: f, cfg: cfg, history: &history{begun: time.Now()}, report: newReport(cfg)}
	err := r.begin(ctx)
	for round := 0; err == nil && cfg.goesOn(round, time.Since(r.history.begun)); round++ {
		err = r.round(ctx, round, next())
	}
	r.judge()
	r.report.Last = r.history.last(20)
	if errors.Is(err, errBroken) {
		err = nil
	}
	return r.report, err
}

// begin deploys every stack, so that the first fault has something to hit.
func (r *Run) begin(ctx context.Context) error {
	for n := range stacks {
		if err := r.observer().deploy(ctx, r.Fleet.Any(), n, "first", 2); err != nil {
			return fmt.Errorf("deploy %s: %w", stackName(n), err)
		}
	}
	return r.settle(ctx, time.Now())
}

// judge holds the answers of the whole run against the model.
func (r *Run) judge() {
	verdict, why := r.history.check(time.Minute)
	r.report.Operations, r.report.Judged = r.history.len(), verdict != undecided
	if verdict == illegal {
		r.broken("the answers that users got fit no single history of %s", why)
	}
}

// round stages one fault while users work, ends it, and waits until all is as
// the users left it.
func (r *Run) round(ctx context.Context, number int, s Step) error {
	i := slices.IndexFunc(classes, func(c class) bool { return c.name == s.Class })
	if i < 0 {
		return fmt.Errorf("there is no class of faults %q", s.Class)
	}
	f := &fault{Run: r, rand: rand.New(rand.NewPCG(s.Seed, 2))}
	working, stop := context.WithCancel(ctx)
	users := r.startUsers(working, s.Seed)
	did, err := classes[i].begin(ctx, f)
	switch {
	case err == nil:
		r.report.Faults[s.Class]++
		r.logf("fault %d: %s: %s, for %v", number+1, s.Class, did, s.For)
		sleep(ctx, s.For)
	case errors.Is(err, errNothing):
		r.logf("fault %d: %s: %v", number+1, s.Class, err)
		err = nil
	}
	for _, undo := range f.after {
		err = errors.Join(err, undo(ctx))
	}
	err = errors.Join(err, r.mend(ctx))
	healed := time.Now()
	sleep(ctx, time.Second) // users see the cluster just after a fault, too
	stop()
	users.Wait()
	if err != nil {
		return fmt.Errorf("fault %d, %s on %s: %w", number+1, s.Class, did, err)
	}
	return r.settle(ctx, healed)
}

// mend gives every host what it needs: power, link, engine, agent, a
// place in the cluster, and leave to take tasks.
func (r *Run) mend(ctx context.Context) error {
	if err := each(ctx, r.Fleet.Hosts, r.restore); err != nil {
		return fmt.Errorf("mend the hosts: %w", err)
	}
	if err := fleet.Within(ctx, settledIn, "agents on all hosts", r.superviseAgents); err != nil {
		return err
	}
	return r.takeIn(ctx)
}

// restore gives a host power, its link and all that its agent and engine need.
// An engine that was cut off while it wrote may panic at every start from then
// on; what helps is to remove the file of its networks.
func (r *Run) restore(ctx context.Context, h *lab.Host) error {
	err := up(ctx, h)
	if err == nil || !strings.Contains(err.Error(), "libnetwork") {
		return err
	}
	r.logf("the engine of %s panics at its start, so its networks are removed: %v", h.Name, err)
	return errors.Join(forgetNetworks(h), up(ctx, h))
}

func up(ctx context.Context, h *lab.Host) error {
	if !h.Up() {
		if err := h.Boot(ctx); err != nil {
			return err
		}
	}
	return errors.Join(h.Heal(ctx), h.Mend(ctx))
}

// superviseAgents starts the agents that have ended, as systemd does.
func (r *Run) superviseAgents(ctx context.Context) error {
	return each(ctx, r.Fleet.Hosts, func(ctx context.Context, h *lab.Host) error {
		if !h.Up() || h.AgentPID() != 0 {
			return nil
		}
		return r.Fleet.StartAgents(ctx, h)
	})
}

// takeIn joins the hosts that are in no cluster, and lets all nodes take tasks.
func (r *Run) takeIn(ctx context.Context) error {
	for i, h := range r.Fleet.Hosts {
		if res := h.CLI(ctx, "status"); !strings.Contains(res.Stderr, "not in a cluster") {
			continue
		}
		via := r.Fleet.Hosts[(i+1)%len(r.Fleet.Hosts)]
		err := fleet.Within(ctx, settledIn, "a host to join again", func(ctx context.Context) error {
			token, err := fleet.Run(ctx, via, "token", "create", "-q")
			if err == nil {
				_, err = fleet.Run(ctx, h, "join", via.Addr, "--token", strings.TrimSpace(token))
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return fleet.Within(ctx, settledIn, "all nodes to take tasks", func(ctx context.Context) error {
		nodes, err := fleet.Nodes(ctx, r.Fleet.Any())
		for name, n := range nodes {
			if err == nil && n.Availability != string(cluster.Active) {
				err = r.setAvailability(ctx, name, cluster.Active)
			}
		}
		return err
	})
}

func (r *Run) setAvailability(ctx context.Context, node string, a cluster.Availability) error {
	return r.call(ctx, r.Fleet.Any(), func(ctx context.Context, c *client.Client) error {
		_, err := c.SetAvailability(ctx, node, a, false)
		return err
	})
}

// callLimit is long enough for a write that begins with a fault to be sent again
// until it is answered: few outcomes stay unknown.
const callLimit = 30 * time.Second

// call makes one call to a host's agent, with a client of its own.
func (r *Run) call(ctx context.Context, h *lab.Host, do func(context.Context, *client.Client) error) error {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	c, err := client.New("unix://" + h.Socket)
	if err != nil {
		return err
	}
	defer c.Close()
	return do(ctx, c)
}

func (r *Run) broken(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Broken = append(r.report.Broken, fmt.Sprintf(format, args...))
}

func (r *Run) logf(format string, args ...any) {
	fmt.Fprintf(r.cfg.Log, "%7.2fs chaos: %s\n", time.Since(r.history.begun).Seconds(), fmt.Sprintf(format, args...))
}
