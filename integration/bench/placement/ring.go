package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/health"
	"github.com/musterhq/muster/cluster/state"
	"github.com/musterhq/muster/consensus"
	"github.com/musterhq/muster/controller"
)

const (
	voters    = 3
	beatEvery = 500 * time.Millisecond // as agents do
	ringLimit = 2 * time.Minute        // for a run
)

// ring is a cluster without agents: three voters of this process, with real files
// and sockets, and a controller that leads. Whoever joins is ready, and heard of.
type ring struct {
	dir    string
	stores map[cluster.NodeID]*consensus.Store
	addrs  map[cluster.NodeID]string
	leader *consensus.Store
	ctrl   *controller.Controller
	stop   context.CancelFunc
	jobs   sync.WaitGroup
}

// newRing makes a cluster of the nodes, of which the first ones vote.
func newRing(ctx context.Context, nodes []cluster.Node) (_ *ring, err error) {
	dir, err := os.MkdirTemp("", "bench-placement-")
	if err != nil {
		return nil, fmt.Errorf("make a directory for the logs of the voters: %w", err)
	}
	r := &ring{dir: dir, stores: map[cluster.NodeID]*consensus.Store{}, addrs: map[cluster.NodeID]string{}, stop: func() {}}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	if err := r.open(nodes[:voters]); err != nil {
		return nil, err
	}
	if err := r.form(ctx, nodes[:voters]); err != nil {
		return nil, err
	}
	if err := r.admit(ctx, nodes); err != nil {
		return nil, err
	}
	r.lead(ctx, nodes)
	return r, nil
}

// open starts the voters' stores. All addresses are known before the first dial.
func (r *ring) open(nodes []cluster.Node) error {
	listeners := make([]net.Listener, len(nodes))
	for i, n := range nodes {
		in, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return fmt.Errorf("listen for the other voters: %w", err)
		}
		listeners[i], r.addrs[n.ID] = in, in.Addr().String()
	}
	for i, n := range nodes {
		s, err := consensus.Open(consensus.Config{
			NodeID: n.ID, DataDir: filepath.Join(r.dir, string(n.ID)), Listener: listeners[i],
			Dial: func(ctx context.Context, _ cluster.NodeID, addr string, _ time.Duration) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "tcp", addr)
			},
			Addr: func(id cluster.NodeID) (string, bool) { addr, ok := r.addrs[id]; return addr, ok },
		})
		if err != nil {
			return err
		}
		r.stores[n.ID] = s
	}
	r.leader = r.stores[nodes[0].ID]
	return nil
}

// form makes the first voter's cluster and gives the others a vote.
func (r *ring) form(ctx context.Context, nodes []cluster.Node) error {
	if err := r.leader.Bootstrap(ctx); err != nil {
		return err
	}
	leads := func() bool { _, me := r.leader.Leader(); return me && r.leader.VerifyLeader(ctx) == nil }
	if err := until(ctx, "the first voter leads", leads); err != nil {
		return err
	}
	if err := r.propose(ctx, state.Init{Identity: cluster.Identity{ID: "C", Epoch: 1, CA: []byte("ca")}, Node: nodes[0]}); err != nil {
		return err
	}
	for _, n := range nodes[1:] {
		if err := r.leader.AddNonvoter(ctx, n.ID); err != nil {
			return err
		}
		if err := until(ctx, "a voter catches up", func() bool { return r.leader.CaughtUp(n.ID) }); err != nil {
			return err
		}
		if err := r.leader.AddVoter(ctx, n.ID); err != nil {
			return err
		}
	}
	return nil
}

// admit has all nodes but the first one join.
func (r *ring) admit(ctx context.Context, nodes []cluster.Node) error {
	token := cluster.Token{ID: "t", SecretHash: "h", Uses: len(nodes), Expires: time.Now().Add(time.Hour)}
	if err := r.propose(ctx, state.PutToken{Token: token}); err != nil {
		return err
	}
	errs := make([]error, len(nodes))
	var wait sync.WaitGroup
	places := make(chan struct{}, 64)
	for i, n := range nodes[1:] {
		places <- struct{}{}
		wait.Go(func() {
			defer func() { <-places }()
			errs[i] = r.propose(ctx, state.JoinNode{Token: token.ID, Node: n})
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}

// lead begins a term of leadership, with the heartbeats of all nodes.
func (r *ring) lead(ctx context.Context, nodes []cluster.Node) {
	ctx, r.stop = context.WithCancel(ctx)
	r.ctrl = controller.New(controller.Config{
		Self: nodes[0].ID, Store: storeOf{r.leader}, Prober: reachable{}, Logger: slog.New(slog.DiscardHandler),
		Evidence: func() health.Evidence { return health.Evidence{} },
	})
	r.jobs.Go(func() { r.ctrl.Lead(ctx) })
	r.jobs.Go(func() {
		tick := time.NewTicker(beatEvery)
		defer tick.Stop()
		for ctx.Err() == nil {
			for i := range nodes {
				r.ctrl.Heartbeat(api.Heartbeat{Node: nodes[i].ID})
			}
			select {
			case <-ctx.Done():
			case <-tick.C:
			}
		}
	})
}

func (r *ring) propose(ctx context.Context, b state.Body) error {
	res, err := r.leader.Propose(ctx, state.Command{At: time.Now(), Body: b})
	if err == nil && res.Err != nil {
		err = res.Err
	}
	return err
}

// close ends everything and removes the files.
func (r *ring) close() error {
	r.stop()
	r.jobs.Wait()
	var errs []error
	for _, s := range r.stores {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, os.RemoveAll(r.dir))...)
}

// until looks again and again whether something holds.
func until(ctx context.Context, what string, holds func() bool) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait until %s: %w", what, ctx.Err())
		case <-tick.C:
		}
	}
	return nil
}

// storeOf is the log for the controller.
type storeOf struct{ *consensus.Store }

func (s storeOf) Watch() controller.Watcher { return watcherOf{s.Store.Watch()} }

type watcherOf struct{ *consensus.Watcher }

func (w watcherOf) Changes() ([]state.Change, bool) {
	d := w.Take()
	return d.Changes, d.All
}

// reachable is hosts that all live.
type reachable struct{}

func (reachable) Dial(context.Context, string, time.Duration) health.Outcome { return health.Accepted }

func (reachable) Ask(context.Context, cluster.NodeID, string, int) (health.Outcome, error) {
	return health.Accepted, nil
}
