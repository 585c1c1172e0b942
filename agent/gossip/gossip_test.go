package gossip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/memberlist"
)

func TestMembersConverge(t *testing.T) {
	for _, n := range []int{3, 20} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			inBubble(t, func(t *testing.T, r *ring) {
				ring := r.form(n)
				got := ring[n-1].Members()[1]
				want := Member{
					ID: nodeID(1), Addr: "10.0.0.2", Port: 7071, Alive: true, Since: got.Since,
					Meta: Meta{ClusterID: clusterA, APIPort: 7070, Version: "v1", Incarnation: 1},
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Error(diff)
				}
				r.until("everyone was pinged", time.Minute, func() bool {
					for i := 1; i < n; i++ {
						if ring[0].LastAck(nodeID(i)).IsZero() {
							return false
						}
					}
					return true
				})
				time.Sleep(10 * time.Minute)
				if !eachHears(ring, n) {
					t.Errorf("members were lost while nothing happened\n%s", r)
				}
			})
		})
	}
}

func TestAbruptDeathIsNoticed(t *testing.T) {
	for _, n := range []int{3, 20} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			inBubble(t, func(t *testing.T, r *ring) {
				ring := r.form(n)
				died := time.Now()
				r.net.Kill(addrOf(1))
				others := append(slices.Clone(ring[:1]), ring[2:]...)
				took := r.until("its death is known to all", 15*time.Second, func() bool {
					return !slices.ContainsFunc(others, func(g *Gossip) bool { return hears(g, nodeID(1)) })
				})
				t.Logf("all %d know after %v", n-1, took)
				since, dead := ring[0].Dead(nodeID(1))
				if !dead || since.Before(died) {
					t.Errorf("dead %v since %v, it died at %v", dead, since, died)
				}
				if ack := ring[0].LastAck(nodeID(1)); ack.After(died.Add(probeTimeout)) {
					t.Errorf("it answered at %v, it died at %v", ack, died)
				}
				if _, dead := ring[0].Dead(nodeID(2)); dead {
					t.Error("another member is taken for dead")
				}
				if _, dead := ring[0].Dead("nobody"); dead {
					t.Error("a node nobody heard of is taken for dead")
				}
				time.Sleep(time.Minute) // memberlist forgets it; this must not
				if _, dead := ring[0].Dead(nodeID(1)); !dead {
					t.Error("forgotten after a minute")
				}
			})
		})
	}
}

func TestOneWayCutIsNoDeath(t *testing.T) {
	inBubble(t, func(t *testing.T, r *ring) {
		ring := r.form(5)
		r.net.Cut(addrOf(0), addrOf(1))
		time.Sleep(5 * time.Minute)
		if _, dead := ring[0].Dead(nodeID(1)); dead || !eachHears(ring, 5) {
			t.Errorf("a member that three others reach is taken for dead\n%s", r)
		}
	})
}

func TestForeignClusterIsRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, r *ring) {
		ours := r.form(3)
		foreign := r.start(9, func(c *Config) { c.ClusterID = clusterB })
		if _, err := foreign.Join(addrsOf(0)); err == nil || !strings.Contains(err.Error(), clusterA) {
			t.Errorf("joined, or without saying which cluster: %v", err)
		}
		if _, err := ours[0].Join(addrsOf(9)); err == nil {
			t.Error("a member joined a foreign cluster")
		}
		time.Sleep(time.Minute)
		if !eachHears(ours, 3) || len(alive(foreign)) != 1 {
			t.Errorf("two clusters merged\n%s", r)
		}
	})
}

func TestWrongKeyIsRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, r *ring) {
		ours := r.form(3)
		stranger := r.start(9, func(c *Config) { c.Keys = [][]byte{key2} })
		if n, err := stranger.Join(addrsOf(0, 1)); err == nil || n != 0 {
			t.Errorf("reached %d, %v", n, err)
		}
		time.Sleep(time.Minute)
		if !eachHears(ours, 3) || len(alive(stranger)) != 1 {
			t.Errorf("a stranger was let in\n%s", r)
		}
	})
}

func TestPlaintextIsRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, r *ring) {
		ours := r.form(3)
		cfg := baseConfig(9)
		cfg.Transport = r.net.Transport(addrOf(9))
		d := &delegate{clusterID: clusterA, dir: newDirectory()}
		meta, err := encodeMeta(Meta{ClusterID: clusterA})
		if err != nil {
			t.Fatal(err)
		}
		d.meta.Store(&meta)
		plain, err := memberlist.Create(cfg.memberlistConfig(d, nil, newLogger(slog.New(slog.DiscardHandler))))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := plain.Join(addrsOf(0)); err == nil {
			t.Error("joined without a key")
		}
		time.Sleep(time.Minute)
		for _, g := range ours {
			if got := g.Members(); len(got) != 3 { // not even listed as dead since
				t.Errorf("a member without a key was let in: %v", got)
			}
		}
		if err := plain.Shutdown(); err != nil {
			t.Error(err)
		}
	})
}

func TestKeyRotation(t *testing.T) {
	inBubble(t, func(t *testing.T, r *ring) {
		ring := r.form(4)
		each := func(step string, f func(*Gossip) error) {
			t.Helper()
			for _, g := range ring {
				if err := f(g); err != nil {
					t.Fatalf("%s: %v", step, err)
				}
				time.Sleep(2 * time.Second) // members are never all at the same step
			}
		}
		each("install", func(g *Gossip) error { return g.InstallKey(key2) })
		each("use", func(g *Gossip) error { return g.UseKey(key2) })
		each("remove", func(g *Gossip) error { return g.RemoveKey(key1) })
		time.Sleep(time.Minute)
		for i, g := range ring {
			for _, m := range g.Members() {
				if !m.Alive || m.Since.After(time.Now().Add(-time.Minute)) && m.ID != nodeID(i) {
					t.Errorf("%s lost %s on the way", nodeID(i), m.ID)
				}
			}
		}
		late := r.start(9, nil) // still with the old key
		if _, err := late.Join(addrsOf(0)); err == nil {
			t.Error("the removed key still opens")
		}
		if err := ring[0].RemoveKey(key2); err == nil {
			t.Error("removed the key that encrypts")
		}
		if err := ring[0].UseKey(key1); err == nil {
			t.Error("used a key that is not installed")
		}
		if err := ring[0].InstallKey(key1[:16]); err == nil {
			t.Error("installed a short key")
		}
	})
}

// A member that missed steps of a rotation takes all of them at once.
func TestSetKeys(t *testing.T) {
	inBubble(t, func(t *testing.T, r *ring) {
		ring := r.form(3)
		for _, keys := range [][][]byte{{key1, key2}, {key2, key1}, {key2}} {
			for i, g := range ring {
				if i == 2 && len(keys) > 1 {
					continue // away
				}
				if err := g.SetKeys(keys); err != nil {
					t.Fatal(err)
				}
			}
		}
		time.Sleep(10 * time.Second)
		for i, g := range ring {
			for _, m := range g.Members() {
				if !m.Alive {
					t.Errorf("%s lost %s", nodeID(i), m.ID)
				}
			}
		}
		for _, bad := range [][][]byte{nil, {key1[:16]}, {key1, key2[:1]}} {
			if err := ring[0].SetKeys(bad); err == nil {
				t.Errorf("took the keys %v", bad)
			}
		}
	})
}

func TestRemoveKeyKeepsTheOthers(t *testing.T) {
	inBubble(t, func(t *testing.T, r *ring) {
		key3 := bytes.Repeat([]byte{3}, keyLen)
		g := r.start(0, func(c *Config) { c.Keys = [][]byte{key1, key2, key3} })
		before := g.keyring.GetKeys()
		if err := g.RemoveKey(key2); err != nil {
			t.Fatal(err)
		}
		if got := g.keyring.GetKeys(); !cmp.Equal(got, [][]byte{key1, key3}) {
			t.Errorf("left: %v", got)
		}
		if !cmp.Equal(before, [][]byte{key1, key2, key3}) {
			t.Error("the array that a decryption may be reading was changed")
		}
	})
}

func TestMetaSpreads(t *testing.T) {
	inBubble(t, func(t *testing.T, r *ring) {
		ring := r.form(5)
		for len(ring[4].Events()) > 0 {
			<-ring[4].Events()
		}
		want := Meta{APIPort: 7070, Voter: true, Version: "v2", Leader: nodeID(3), Incarnation: 7}
		for i := range 10 { // the last one counts
			m := want
			m.Incarnation = uint64(i)
			if err := ring[0].SetMeta(m); err != nil {
				t.Fatal(err)
			}
		}
		if err := ring[0].SetMeta(want); err != nil {
			t.Fatal(err)
		}
		want.ClusterID = clusterA
		for got := (Meta{}); got != want; got = ring[4].Members()[0].Meta {
			<-ring[4].Events() // a missing wake-up deadlocks the bubble
		}
		if err := ring[0].SetMeta(Meta{Version: strings.Repeat("v", 512)}); err == nil {
			t.Error("accepted metadata beyond the limit")
		}
	})
}

func TestLeaveIsNoticedAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, r *ring) {
		ring := r.form(5)
		if err := ring[1].Leave(time.Second); err != nil {
			t.Fatal(err)
		}
		took := r.until("the leave is known", time.Minute, func() bool {
			return !hears(ring[0], nodeID(1)) && !hears(ring[4], nodeID(1))
		})
		if took > suspicionMult*probeInterval {
			t.Errorf("took %v: it was found dead, not told", took)
		}
		if err := ring[1].Leave(time.Second); err != nil {
			t.Errorf("leaving twice: %v", err)
		}
		if err := ring[1].Close(); err != nil {
			t.Fatal(err)
		}
		if err := ring[1].Leave(time.Second); !errors.Is(err, ErrClosed) {
			t.Errorf("leaving after close: %v", err)
		}
	})
}

func TestRestartUnderAnotherAddress(t *testing.T) {
	inBubble(t, func(t *testing.T, r *ring) {
		ring := r.form(3)
		r.net.Kill(addrOf(2))
		r.until("its death is known", 15*time.Second, func() bool {
			return !hears(ring[0], nodeID(2)) && !hears(ring[1], nodeID(2))
		})
		time.Sleep(2 * reclaimAfter)
		moved := r.start(2, func(c *Config) {
			c.Transport = r.net.Transport("10.0.9.9:7071")
			c.Peers = allPeers(2)
		})
		// Sooner than memberlist forgets the old address by itself.
		r.until("all hear of all again", 10*time.Second, func() bool {
			return eachHears([]*Gossip{ring[0], ring[1], moved}, 3)
		})
		if got := ring[0].Members()[2].Addr; got != "10.0.9.9" {
			t.Errorf("known under %s", got)
		}
	})
}

func TestLongPartitionHealsByRejoin(t *testing.T) {
	for _, tc := range []struct {
		name  string
		peers func(n int) func() []Peer
		want  int
	}{
		{"with known peers", allPeers, 7},
		{"without them, as a control", func(int) func() []Peer { return nil }, 5},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, r *ring) {
				const n = 7
				var ring []*Gossip
				for i := range n {
					ring = append(ring, r.start(i, func(c *Config) { c.Peers = tc.peers(n) }))
				}
				for _, g := range ring[1:] {
					if _, err := g.Join(addrsOf(0)); err != nil {
						t.Fatal(err)
					}
				}
				r.until("all hear of all", time.Minute, func() bool { return eachHears(ring, n) })
				r.net.Partition(addrsOf(0, 1), addrsOf(2, 3, 4, 5, 6))
				time.Sleep(2 * time.Minute)
				if !eachHears(ring[:2], 2) || !eachHears(ring[2:], 5) {
					t.Fatalf("the partition went unnoticed\n%s", r)
				}
				r.net.Heal()
				time.Sleep(rejoinMax + streamTimeout + 5*time.Second)
				if got := len(alive(ring[6])); got != tc.want {
					t.Errorf("after the cut healed a member hears of %d, want %d\n%s", got, tc.want, r)
				}
				if tc.want == n && !eachHears(ring, n) {
					t.Errorf("not healed everywhere\n%s", r)
				}
			})
		})
	}
}

// Two that were cut off together hear of all at once when each meets one of the
// others: the rejoin loop alone may take a while.
func TestMeetHealsAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, r *ring) {
		const n = 5
		ring := r.form(n)
		r.net.Partition(addrsOf(0, 1), addrsOf(2, 3, 4))
		time.Sleep(10 * time.Minute)
		r.net.Heal()
		for _, g := range ring[:2] {
			g.Meet(Peer{ID: nodeID(2), Addr: addrOf(2)})
		}
		took := r.until("all hear of all again", 3*time.Second, func() bool { return eachHears(ring, n) })
		t.Logf("after %v", took)
	})
}

// Whoever meets a member says itself that it is back: the one that it met may
// not reach the others.
func TestMeetAnnounces(t *testing.T) {
	inBubble(t, func(t *testing.T, r *ring) {
		const n = 5
		var ring []*Gossip
		for i := range n {
			ring = append(ring, r.start(i, nil))
		}
		for _, g := range ring[1:] {
			if _, err := g.Join(addrsOf(0)); err != nil {
				t.Fatal(err)
			}
		}
		r.until("all hear of all", time.Minute, func() bool { return eachHears(ring, n) })
		r.net.Partition(addrsOf(0), addrsOf(1, 2, 3, 4))
		time.Sleep(10 * time.Minute)
		r.net.Heal()
		for _, other := range addrsOf(2, 3, 4) {
			r.net.Cut(addrOf(1), other)
		}
		ring[0].Meet(Peer{ID: nodeID(1), Addr: addrOf(1)})
		r.until("the others hear of it", 3*time.Second, func() bool { return eachHears(ring[2:], n) })
	})
}

func TestStartRefuses(t *testing.T) {
	for name, edit := range map[string]func(*Config){
		"no node":           func(c *Config) { c.NodeID = "" },
		"no cluster":        func(c *Config) { c.ClusterID = "" },
		"no key":            func(c *Config) { c.Keys = nil },
		"short key":         func(c *Config) { c.Keys = [][]byte{key1, key2[:16]} },
		"bind to a name":    func(c *Config) { c.BindAddr = "localhost" },
		"advertise a name":  func(c *Config) { c.AdvertiseAddr = "host.example" },
		"too much metadata": func(c *Config) { c.Meta.Version = strings.Repeat("v", 600) },
		"port not there":    func(c *Config) { c.BindAddr, c.BindPort = "127.0.0.1", 70000 },
	} {
		cfg := baseConfig(0)
		edit(&cfg)
		if g, err := Start(cfg); err == nil {
			t.Errorf("%s: started", name)
			_ = g.Close()
		}
	}
}

// On the real network, where dials are bound to Close.
func TestLoopback(t *testing.T) {
	start := func(i int) *Gossip {
		cfg := baseConfig(i)
		cfg.BindAddr, cfg.AdvertiseAddr = "127.0.0.1", "127.0.0.1"
		g, err := Start(cfg)
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	a, b := start(0), start(1)
	self := a.Members()[0]
	if _, err := b.Join([]string{fmt.Sprintf("%s:%d", self.Addr, self.Port)}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for len(alive(a)) != 2 {
		select {
		case <-a.Events():
		case <-ctx.Done():
			t.Fatal("never heard of the other")
		}
	}
	if _, err := b.Join([]string{"localhost:7071"}); err == nil {
		t.Error("joined by a host name")
	}
	for range 2 {
		if err := errors.Join(a.Close(), b.Close()); err != nil {
			t.Error(err)
		}
	}
	if _, err := b.Join([]string{fmt.Sprintf("127.0.0.1:%d", self.Port)}); err == nil {
		t.Error("joined after close")
	}
}

// A peer that accepts and then says nothing must not hold up the end.
func TestCloseEndsDials(t *testing.T) {
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	cfg := baseConfig(0)
	cfg.BindAddr, cfg.AdvertiseAddr = "127.0.0.1", "127.0.0.1"
	cfg.Peers = func() []Peer { return []Peer{{ID: nodeID(1), Addr: mute.Addr().String()}} }
	g, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := mute.Accept() // the rejoin loop is now waiting for an answer
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	start := time.Now()
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(start); took >= streamTimeout {
		t.Errorf("closing took %v: it waited for the peer", took)
	}
}
