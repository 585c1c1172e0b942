package docker

import (
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/musterhq/muster/runtime"
)

func TestStatsLeaveOutTheCache(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, c := range map[string]struct {
		detail map[string]uint64
		want   int64
	}{
		"cgroup v1":            {map[string]uint64{"total_inactive_file": 300, "inactive_file": 1}, 700},
		"cgroup v2":            {map[string]uint64{"inactive_file": 400}, 600},
		"nothing known":        {nil, 1000},
		"more cache than used": {map[string]uint64{"inactive_file": 4000}, 0},
	} {
		s := container.StatsResponse{Read: at}
		s.CPUStats.CPUUsage.TotalUsage = uint64(3 * time.Second)
		s.MemoryStats = container.MemoryStats{Usage: 1000, Stats: c.detail}
		if got, want := newStats(s), (runtime.Stats{At: at, CPU: 3 * time.Second, Memory: c.want}); got != want {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
}
