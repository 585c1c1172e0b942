package gossip

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/musterhq/muster/agent/gossip/gossiptest"
)

const (
	clusterA = "01JCK0STERAAAAAAAAAAAAAAA1"
	clusterB = "01JCK0STERAAAAAAAAAAAAAAA2"
)

var (
	key1 = bytes.Repeat([]byte{1}, keyLen)
	key2 = bytes.Repeat([]byte{2}, keyLen)
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ring is a cluster of members on a network in memory, inside a bubble.
type ring struct {
	t       *testing.T
	net     *gossiptest.Network
	members []*Gossip
}

// inBubble runs f and then closes every member it started.
func inBubble(t *testing.T, f func(t *testing.T, r *ring)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &ring{t: t, net: gossiptest.NewNetwork()}
		f(t, r)
		for _, g := range r.members {
			if err := g.Close(); err != nil {
				t.Error(err)
			}
		}
		// memberlist waits for none of its goroutines; each ends with its
		// present timer.
		time.Sleep(time.Minute)
	})
}

func nodeID(i int) string { return fmt.Sprintf("node-%02d", i) }
func addrOf(i int) string { return fmt.Sprintf("10.0.0.%d:7071", i+1) }

func addrsOf(is ...int) (out []string) {
	for _, i := range is {
		out = append(out, addrOf(i))
	}
	return out
}

func baseConfig(i int) Config {
	return Config{
		NodeID:    nodeID(i),
		ClusterID: clusterA,
		Keys:      [][]byte{key1},
		Meta:      Meta{APIPort: 7070, Version: "v1", Incarnation: uint64(i)},
	}
}

// start adds member i; edit may change its configuration.
func (r *ring) start(i int, edit func(*Config)) *Gossip {
	r.t.Helper()
	cfg := baseConfig(i)
	cfg.Transport = r.net.Transport(addrOf(i))
	if edit != nil {
		edit(&cfg)
	}
	g, err := Start(cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	r.members = append(r.members, g)
	return g
}

// form starts n members that know each other's addresses and waits until all
// hear of all.
func (r *ring) form(n int) []*Gossip {
	r.t.Helper()
	out := make([]*Gossip, 0, n)
	for i := range n {
		out = append(out, r.start(i, func(c *Config) { c.Peers = allPeers(n) }))
	}
	r.until("all hear of all", time.Minute, func() bool { return eachHears(out, n) })
	return out
}

func allPeers(n int) func() []Peer {
	return func() (out []Peer) {
		for i := range n {
			out = append(out, Peer{ID: nodeID(i), Addr: addrOf(i)})
		}
		return out
	}
}

// until waits in the bubble's time and returns how long it took.
func (r *ring) until(what string, limit time.Duration, ok func() bool) time.Duration {
	r.t.Helper()
	start := time.Now()
	for !ok() {
		if time.Since(start) > limit {
			r.t.Fatalf("%s: not within %v\n%s", what, limit, r)
		}
		time.Sleep(50 * time.Millisecond)
	}
	return time.Since(start)
}

func (r *ring) String() string {
	var b strings.Builder
	for _, g := range r.members {
		fmt.Fprintf(&b, "hears of %v\n", alive(g))
	}
	return b.String()
}

func alive(g *Gossip) (ids []string) {
	for _, m := range g.Members() {
		if m.Alive {
			ids = append(ids, m.ID)
		}
	}
	return ids
}

func hears(g *Gossip, id string) bool {
	for _, m := range g.Members() {
		if m.ID == id {
			return m.Alive
		}
	}
	return false
}

func eachHears(gs []*Gossip, n int) bool {
	for _, g := range gs {
		if len(alive(g)) != n {
			return false
		}
	}
	return true
}
