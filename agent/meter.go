package agent

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/runtime"
)

// Pace of measuring tasks.
const (
	meterEvery = time.Second            // whoever asks sooner gets the last answer
	meterFirst = 500 * time.Millisecond // between the two samples of somebody's first look
	meterKeeps = 30 * time.Second       // an older sample makes no rate
	meterAsks  = 4                      // containers measured at a time
	meterWaits = 3 * time.Second        // for the engine
)

// taskMeter measures this host's tasks, only when it is asked: a rate needs the
// sample before, so it keeps the last one of each container.
type taskMeter struct {
	mu    sync.Mutex // held while measuring: others wait for the answer
	at    time.Time
	last  map[string]runtime.Stats // by container
	usage []api.TaskUsage
}

// TaskUsage measures the tasks that run here.
func (m *member) TaskUsage(ctx context.Context) ([]api.TaskUsage, error) {
	return m.meter.measure(ctx, m.a.host.Engine, m.identity.Load().ClusterID)
}

// measured is a running task with its newest sample.
type measured struct {
	container, task string
	stats           runtime.Stats
	ok              bool
}

func (t *taskMeter) measure(ctx context.Context, engine runtime.Driver, cluster string) ([]api.TaskUsage, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if time.Since(t.at) < meterEvery {
		return t.usage, nil
	}
	ctx, cancel := context.WithTimeout(ctx, meterWaits)
	defer cancel()
	if time.Since(t.at) > meterKeeps {
		found, err := sample(ctx, engine, cluster)
		if err != nil {
			return nil, err
		}
		t.keep(found)
		if len(found) > 0 {
			sleep(ctx, meterFirst)
		}
	}
	found, err := sample(ctx, engine, cluster)
	if err != nil {
		return nil, err
	}
	t.usage = rates(t.last, found)
	t.keep(found)
	return t.usage, nil
}

func (t *taskMeter) keep(found []measured) {
	t.at, t.last = time.Now(), map[string]runtime.Stats{}
	for _, f := range found {
		if f.ok {
			t.last[f.container] = f.stats
		}
	}
}

// sample asks the engine for every running task. One that ends meanwhile, or
// does not answer, is left out.
func sample(ctx context.Context, engine runtime.Driver, cluster string) ([]measured, error) {
	containers, err := engine.List(ctx, cluster)
	if err != nil {
		return nil, fmt.Errorf("list the containers: %w", err)
	}
	var out []measured
	for _, c := range containers {
		if task := c.Labels[runtime.LabelTask]; task != "" && c.Status == runtime.StatusRunning {
			out = append(out, measured{container: c.ID, task: task})
		}
	}
	var asked sync.WaitGroup
	places := make(chan struct{}, meterAsks)
	for i := range out {
		places <- struct{}{}
		asked.Go(func() {
			defer func() { <-places }()
			stats, err := engine.Stats(ctx, out[i].container)
			out[i].stats, out[i].ok = stats, err == nil
		})
	}
	asked.Wait()
	if ctx.Err() != nil {
		return nil, errors.New("the engine does not answer in time")
	}
	return out, nil
}

// rates makes usage of two samples. A container without an earlier one, or that
// was started anew since, has no rate yet.
func rates(before map[string]runtime.Stats, now []measured) []api.TaskUsage {
	out := []api.TaskUsage{}
	for _, m := range now {
		if !m.ok {
			continue
		}
		u := api.TaskUsage{Task: m.task, MemoryUsed: m.stats.Memory}
		if b, ok := before[m.container]; ok && m.stats.At.After(b.At) && m.stats.CPU >= b.CPU {
			used := float64(m.stats.CPU-b.CPU) / float64(m.stats.At.Sub(b.At))
			u.CPUUsed = &used
		}
		out = append(out, u)
	}
	return out
}
