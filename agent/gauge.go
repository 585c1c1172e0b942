package agent

import (
	"context"
	"fmt"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
)

// gaugeEvery is the pace of measuring tasks for the leader.
const gaugeEvery = 15 * time.Second

// gauge measures this host's tasks for the leader, which keeps their histories.
type gauge struct {
	meter taskMeter // apart from the users': theirs is of the last second
	news[api.TasksUse]
}

// runGauge measures until ctx ends.
func (m *member) runGauge(ctx context.Context) {
	for ctx.Err() == nil {
		use, err := m.measureTasks(ctx)
		if err != nil {
			m.log.Debug("measure the tasks of this host", "error", err)
		}
		m.gauge.set(use)
		sleep(ctx, gaugeEvery)
	}
}

// measureTasks leaves out tasks that were seen once only. It is nil while the
// host cannot be measured.
func (m *member) measureTasks(ctx context.Context) (*api.TasksUse, error) {
	tasks, err := m.gauge.meter.measure(ctx, m.a.host.Engine, m.identity.Load().ClusterID)
	if err != nil {
		return nil, err
	}
	host := m.usage()
	if host == nil {
		return nil, nil
	}
	milli, memory, err := m.a.host.Stats.Capacity(ctx)
	if err != nil {
		return nil, fmt.Errorf("measure this host: %w", err)
	}
	use := &api.TasksUse{Host: *host, Machine: api.Usage{MilliCPU: milli, Memory: memory}, Tasks: []api.TaskUse{}}
	for _, t := range tasks {
		if t.CPUUsed != nil {
			use.Tasks = append(use.Tasks, api.TaskUse{
				Task: cluster.TaskID(t.Task), Usage: api.Usage{MilliCPU: int64(*t.CPUUsed * 1000), Memory: t.MemoryUsed},
			})
		}
	}
	return use, nil
}
