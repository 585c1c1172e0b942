//go:build linux

package fleettest

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/musterhq/muster/integration/fleet"
)

// Extremes watches how many containers of a service run. The returned function
// ends that, and returns the least and the most that were seen.
func (c *Cluster) Extremes(service string) (stop func() (least, most int)) {
	c.T.Helper()
	ctx, cancel := context.WithCancel(c.T.Context())
	least, most := math.MaxInt, 0
	var watching sync.WaitGroup
	watching.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			if running, err := fleet.Containers(ctx, service, c.Hosts...); err == nil {
				least, most = min(least, len(running)), max(most, len(running))
			}
			select {
			case <-ctx.Done():
			case <-tick.C:
			}
		}
	})
	return func() (int, int) {
		cancel()
		watching.Wait()
		return least, most
	}
}
