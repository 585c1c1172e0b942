package consensus

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// loopback is a ring of stores with real sockets and real files.
type loopback struct {
	*ring
	dir   string
	mu    sync.Mutex
	addrs map[cluster.NodeID]string
}

func newLoopback(t testing.TB) *loopback {
	r := &ring{t: t, stores: map[cluster.NodeID]*Store{}}
	l := &loopback{ring: r, dir: t.TempDir(), addrs: map[cluster.NodeID]string{}}
	t.Cleanup(r.closeAll)
	return l
}

// open starts a node at a new address each time.
func (l *loopback) open(id cluster.NodeID) *Store {
	l.t.Helper()
	in, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		l.t.Fatal(err)
	}
	l.mu.Lock()
	l.addrs[id] = in.Addr().String()
	l.mu.Unlock()
	s, err := Open(Config{
		NodeID: id, DataDir: filepath.Join(l.dir, string(id)), Listener: in,
		Dial: func(ctx context.Context, _ cluster.NodeID, addr string, _ time.Duration) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", addr)
		},
		Addr: func(id cluster.NodeID) (string, bool) {
			l.mu.Lock()
			defer l.mu.Unlock()
			addr, ok := l.addrs[id]
			return addr, ok
		},
	})
	if err != nil {
		l.t.Fatal(err)
	}
	l.stores[id] = s
	return s
}

func TestLoopback(t *testing.T) {
	l := newLoopback(t)
	first := l.open("A")
	if err := first.Bootstrap(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.leader()
	l.must(first, state.Init{Identity: cluster.Identity{ID: "C", Epoch: 1, CA: []byte("ca")}, Node: cluster.Node{ID: "A", Name: "a", Address: "10.0.0.1"}})
	for _, id := range []cluster.NodeID{"B", "C"} {
		l.open(id)
		l.join(first, id)
	}
	l.must(first, token(1))
	l.close("A")
	second := l.leader()
	l.must(second, token(2))
	l.open("A") // it comes back at another address
	l.agree()
	for id := range l.stores {
		l.close(id)
	}
	for _, id := range []cluster.NodeID{"A", "B", "C"} { // a power cut, and new addresses for all
		l.open(id)
	}
	l.agree()
	for id, s := range l.stores {
		if _, ok := s.View().Token("t0002"); !ok {
			t.Errorf("%s lost a command that was acknowledged", id)
		}
	}
}

// BenchmarkPropose measures concurrent commits on one node's disk.
func BenchmarkPropose(b *testing.B) {
	s, err := onDisk(b, filepath.Join(b.TempDir(), "consensus"))
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	if err := s.Bootstrap(b.Context()); err != nil {
		b.Fatal(err)
	}
	propose := func(body state.Body) error {
		_, err := s.Propose(b.Context(), state.Command{At: time.Now(), Body: body})
		return err
	}
	init := state.Init{Identity: cluster.Identity{ID: "C", Epoch: 1, CA: []byte("ca")}, Node: cluster.Node{ID: "A", Name: "a", Address: "10.0.0.1"}}
	for err := propose(init); err != nil; err = propose(init) {
		if !errors.As(err, new(*NotLeaderError)) {
			b.Fatal(err)
		}
	}
	body := token(1)
	b.SetParallelism(64)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := propose(body); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkConfirm measures concurrent reads of a leader with two followers.
func BenchmarkConfirm(b *testing.B) {
	l := newLoopback(b)
	first := l.open("A")
	if err := first.Bootstrap(b.Context()); err != nil {
		b.Fatal(err)
	}
	l.leader()
	l.must(first, state.Init{Identity: cluster.Identity{ID: "C", Epoch: 1, CA: []byte("ca")}, Node: cluster.Node{ID: "A", Name: "a", Address: "10.0.0.1"}})
	for _, id := range []cluster.NodeID{"B", "C"} {
		l.open(id)
		l.join(first, id)
	}
	for _, readers := range []int{1, 64} {
		b.Run(fmt.Sprintf("readers=%d", readers), func(b *testing.B) {
			var wg sync.WaitGroup
			for i := range readers {
				wg.Go(func() {
					for range (b.N + i) / readers {
						if err := first.Confirm(b.Context()); err != nil {
							b.Error(err)
						}
					}
				})
			}
			wg.Wait()
		})
	}
}
