//go:build linux

package failover

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/musterhq/muster/integration/fleet"
	"github.com/musterhq/muster/integration/lab"
)

// two is a Compose file of two services, of which one takes the requests.
func two(image string) string {
	return strings.Replace(stack(3), lab.Hello, image, 1) + `  other:
    image: muster-hello:1
    stop_grace_period: 1s
    deploy:
      replicas: 2
`
}

// TestUpdateIsSmooth changes one service of a file: only its tasks are replaced,
// one at a time, and no request fails.
func TestUpdateIsSmooth(t *testing.T) {
	f := cluster(t)
	run(t, f.Hosts[0], "deploy", "-f", file(t, two(lab.Hello)))
	must(t, f.AwaitAnswers(t.Context(), port, f.Hosts...))
	others, err := fleet.Containers(t.Context(), "app/other", f.Hosts...)
	must(t, err)
	before := lives(t, others)
	old := awaitRunning(t, 3, f.Hosts...)

	stop := requests(t, f, f.Hosts...)
	least := leastRunning(t, f)
	run(t, f.Hosts[0], "deploy", "-f", file(t, two(lab.Hello2)))
	if n := least(); n < 2 {
		t.Errorf("only %d of 3 ran during an update of one at a time", n)
	}
	noneFailed(t, stop)

	settled(t, f, 3, f.Hosts...)
	a, err := f.Ask(t.Context(), f.Hosts[0], port, soon)
	if err != nil || a.Version != "2" {
		t.Errorf("version %q answers, %v", a.Version, err)
	}
	now := make(map[string]bool)
	for _, c := range awaitRunning(t, 3, f.Hosts...) {
		now[c.ID] = true
	}
	for _, c := range old {
		if now[c.ID] {
			t.Errorf("%s was not replaced", c.Name)
		}
	}
	others, err = fleet.Containers(t.Context(), "app/other", f.Hosts...)
	must(t, err)
	after := lives(t, others)
	for name, started := range before {
		if !after[name].Equal(started) {
			t.Errorf("%s was replaced, though its service did not change", name)
		}
	}
}

// leastRunning watches how many containers of the service run, and returns the
// least that it saw.
func leastRunning(t *testing.T, f *fleet.Fleet) (stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	least := 1 << 20
	var watching sync.WaitGroup
	watching.Go(func() {
		for ctx.Err() == nil {
			if running, err := fleet.Containers(ctx, web, f.Hosts...); err == nil {
				least = min(least, len(running))
			}
			pace(ctx)
		}
	})
	return func() int {
		cancel()
		watching.Wait()
		return least
	}
}

// TestScale changes the number of tasks up and down; those that stay are not
// touched.
func TestScale(t *testing.T) {
	f := cluster(t)
	before := lives(t, deployWeb(t, f, 3))
	run(t, f.Hosts[2], "scale", fmt.Sprintf("%s=6", web))
	awaitRunning(t, 6, f.Hosts...)
	run(t, f.Hosts[2], "scale", fmt.Sprintf("%s=3", web))
	settled(t, f, 3, f.Hosts...)
	sameLives(t, before, f.Hosts...)
}

// TestDrain empties a host without a failed request, and fills it no more.
func TestDrain(t *testing.T) {
	f := cluster(t)
	deployWeb(t, f, 6)
	drained := f.Hosts[2]
	stop := requests(t, f, f.Others(drained)...)
	run(t, f.Hosts[0], "node", "drain", "-y", drained.Name)
	settled(t, f, 6, f.Others(drained)...)
	awaitRunning(t, 0, drained)
	noneFailed(t, stop)
}
