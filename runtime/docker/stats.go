package docker

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"

	"github.com/musterhq/muster/runtime"
)

// Stats asks for one sample: the engine does not wait for a second one.
func (d *Driver) Stats(ctx context.Context, id string) (runtime.Stats, error) {
	var out runtime.Stats
	what := "measure container " + id
	err := d.call(ctx, classRead, what, func(ctx context.Context, cl *client.Client) error {
		answer, err := cl.ContainerStatsOneShot(ctx, id)
		if err != nil {
			return err
		}
		defer func() { _ = answer.Body.Close() }()
		var s container.StatsResponse
		if err := json.NewDecoder(answer.Body).Decode(&s); err != nil {
			return err
		}
		if s.PidsStats.Current == 0 && s.CPUStats.CPUUsage.TotalUsage == 0 {
			return fmt.Errorf("%w: it does not run", runtime.ErrNotFound)
		}
		out = newStats(s)
		return nil
	})
	return out, err
}

// newStats leaves the inactive page cache out of the memory, as `docker stats`
// does: the kernel gives it up before anything else. Its name differs between
// the two versions of control groups.
func newStats(s container.StatsResponse) runtime.Stats {
	memory := s.MemoryStats.Usage
	for _, name := range []string{"total_inactive_file", "inactive_file"} {
		if cache, ok := s.MemoryStats.Stats[name]; ok {
			memory -= min(cache, memory)
			break
		}
	}
	return runtime.Stats{At: s.Read.UTC(), CPU: time.Duration(s.CPUStats.CPUUsage.TotalUsage), Memory: int64(memory)}
}
