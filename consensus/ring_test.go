package consensus

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"go.uber.org/goleak"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ring is a cluster of stores in one process.
type ring struct {
	t      testing.TB
	net    *network
	memory map[cluster.NodeID]*Memory
	stores map[cluster.NodeID]*Store
	tuning Tuning
}

func newRing(t *testing.T) *ring {
	r := &ring{t: t, net: newNetwork(), memory: map[cluster.NodeID]*Memory{}, stores: map[cluster.NodeID]*Store{}, tuning: TuningFor(0)}
	t.Cleanup(r.closeAll)
	return r
}

func (r *ring) closeAll() {
	for id := range r.stores {
		r.close(id)
	}
}

func (r *ring) config(id cluster.NodeID) Config {
	cfg := Config{
		NodeID: id, Memory: r.memory[id], Tuning: r.tuning,
		Listener: r.net.listen(id), Dial: r.net.dialer(id), Addr: r.net.addr,
	}
	if testing.Verbose() {
		cfg.Logger = slog.New(slog.NewTextHandler(os.Stderr, nil)).With("node", id)
	}
	return cfg
}

func (r *ring) open(id cluster.NodeID) *Store {
	r.t.Helper()
	if r.memory[id] == nil {
		r.memory[id] = NewMemory()
	}
	s, err := Open(r.config(id))
	if err != nil {
		r.t.Fatal(err)
	}
	r.stores[id] = s
	return s
}

func (r *ring) close(id cluster.NodeID) {
	s := r.stores[id]
	delete(r.stores, id)
	if err := s.Close(); err != nil {
		r.t.Errorf("close %s: %v", id, err)
	}
}

// start makes a cluster whose nodes all vote; the first one leads.
func (r *ring) start(ids ...cluster.NodeID) *Store {
	r.t.Helper()
	first := r.open(ids[0])
	if err := first.Bootstrap(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	r.leader()
	r.must(first, state.Init{Identity: cluster.Identity{ID: "C", Epoch: 1, CA: []byte("ca")}, Node: cluster.Node{ID: ids[0], Name: "first", Address: "10.0.0.1"}})
	for _, id := range ids[1:] {
		r.open(id)
		r.join(first, id)
	}
	return first
}

func (r *ring) join(leader *Store, id cluster.NodeID) {
	r.t.Helper()
	if err := leader.AddNonvoter(r.t.Context(), id); err != nil {
		r.t.Fatal(err)
	}
	r.until("caught up: "+string(id), func() bool { return leader.CaughtUp(id) })
	if err := leader.AddVoter(r.t.Context(), id); err != nil {
		r.t.Fatal(err)
	}
}

// until waits for a condition; inside a bubble the minute is virtual.
func (r *ring) until(what string, ok func() bool) {
	r.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); <-tick.C {
		if ok() {
			return
		}
	}
	r.t.Fatalf("not within a minute: %s", what)
}

func (r *ring) leader() *Store {
	r.t.Helper()
	var found *Store
	r.until("a leader that can commit", func() bool {
		for _, s := range r.stores {
			if _, me := s.Leader(); me && s.VerifyLeader(r.t.Context()) == nil {
				found = s
				return true
			}
		}
		return false
	})
	return found
}

func (r *ring) must(s *Store, b state.Body) state.Result {
	r.t.Helper()
	res, err := s.Propose(r.t.Context(), state.Command{At: time.Now(), Body: b})
	if err != nil {
		r.t.Fatal(err)
	}
	if res.Err != nil {
		r.t.Fatal(res.Err)
	}
	return res
}

func (r *ring) agree() {
	r.t.Helper()
	l := r.leader()
	if err := l.Barrier(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	commit := l.CommitIndex()
	for id, s := range r.stores {
		r.until(fmt.Sprintf("%s applies up to %d", id, commit), func() bool { return s.AppliedIndex() >= commit })
		if got, want := s.View().Hash(), l.View().Hash(); got != want {
			r.t.Errorf("%s has another state than the leader", id)
		}
	}
}

func token(n int) state.PutToken {
	return state.PutToken{Token: cluster.Token{ID: fmt.Sprintf("t%04d", n), SecretHash: "h", Uses: 1, Expires: time.Now().Add(time.Hour)}}
}

func newRequest() string {
	return ulid.MustNew(ulid.Timestamp(time.Now()), ulid.DefaultEntropy()).String()
}

func soon(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
