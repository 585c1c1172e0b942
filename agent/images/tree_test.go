package images

import (
	"context"
	"fmt"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
)

// seat is a fleet as one of its nodes reaches it.
type seat struct {
	*fleet
	id cluster.NodeID
}

func (s seat) Call(ctx context.Context, id cluster.NodeID, method, path string, in, out any) error {
	return s.fleet.Call(ctx, id, method, path, in, out)
}

func (s seat) Stream(ctx context.Context, id cluster.NodeID, method, path string, body io.Reader) (io.ReadCloser, error) {
	return s.fleet.Stream(ctx, id, method, path+"&to="+string(s.id), body)
}

// TestAHundredNodesMakeATree lets every node but one want an image at once. One
// transfer takes ten seconds, and each node sends two at a time: one node alone
// would need fifty rounds, a tree that trebles with each round needs five.
func TestAHundredNodesMakeATree(t *testing.T) {
	const nodes, transfer = 100, 10 * time.Second
	var names []string
	for i := range nodes {
		names = append(names, fmt.Sprintf("n%02d", i))
	}
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(names...)
		var mu sync.Mutex
		under, most, transfers := map[string]int{}, 0, 0
		for name, n := range f.nodes {
			n.store = storeOf(t, n.Driver)
			n.slowed = func(api.ImageAsk) {
				mu.Lock()
				under[string(name)]++
				transfers++
				most = max(most, under[string(name)])
				mu.Unlock()
				time.Sleep(transfer)
				mu.Lock()
				under[string(name)]--
				mu.Unlock()
			}
		}
		id := f.nodes["n00"].AddLayers("app:1", "the layer")
		began := time.Now()
		var all sync.WaitGroup
		for name, n := range f.nodes {
			own := New(Config{Self: name, Engine: n.Driver, Peers: seat{f, name}, Members: func() []api.Member { return f.members()[1:] }, Store: n.store})
			all.Go(func() {
				if err := own.Fetch(t.Context(), id); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
		all.Wait()
		took := time.Since(began)
		t.Logf("%d nodes have it after %v (%.1f rounds), %d transfers, at most %d at once out of one node",
			nodes, took.Round(time.Second/10), took.Seconds()/transfer.Seconds(), transfers, most)
		if took > 8*transfer {
			t.Errorf("it took %.1f rounds", took.Seconds()/transfer.Seconds())
		}
		if most > sendAtOnce {
			t.Errorf("a node sent to %d at once", most)
		}
		if transfers != nodes-1 {
			t.Errorf("%d transfers for %d nodes", transfers, nodes-1)
		}
	})
}
