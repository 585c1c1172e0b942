//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/musterhq/muster/integration/fleet"
	"github.com/musterhq/muster/integration/lab"
)

const (
	restFor = time.Minute
	// ticks a second of the times in /proc, fixed for user space.
	ticks = 100
)

// rest reads what the agents and their data planes use while twelve tasks run and nothing happens.
func rest(ctx context.Context, b *bench) error {
	if err := b.deploySpread(ctx, tasks); err != nil {
		return err
	}
	// What the deploy started in the agents is over when it has been quiet.
	if err := wait(ctx, 10*time.Second); err != nil {
		return err
	}
	before := make(map[string]int)
	for _, h := range b.fleet.Hosts {
		used, err := usedBy(h)
		if err != nil {
			return err
		}
		before[h.Name] = used.ticks
	}
	begun := time.Now()
	if err := wait(ctx, restFor); err != nil {
		return err
	}
	leader, err := b.fleet.Leader(ctx)
	if err != nil {
		return err
	}
	var memory, cpu float64
	for _, h := range b.fleet.Hosts {
		used, err := usedBy(h)
		if err != nil {
			return err
		}
		pct := 100 * float64(used.ticks-before[h.Name]) / ticks / time.Since(begun).Seconds()
		role := ""
		if h == leader {
			role = ", leads"
		}
		tell("Muster on %s at rest: %.1f MB, of them %.1f of the agent, %.2f %% of a core%s", h.Name, used.rss, used.agentRSS, pct, role)
		memory, cpu = max(memory, used.rss), max(cpu, pct)
	}
	b.figures.AgentRSS, b.figures.AgentCPU = &memory, &cpu
	return nil
}

// use is what the processes of Muster on a host use.
type use struct {
	ticks         int     // of processor time
	rss, agentRSS float64 // MB
}

func usedBy(h *lab.Host) (u use, err error) {
	for _, pid := range append(h.DataPlanePIDs(), h.AgentPID()) {
		n, err := cpuTicks(pid)
		if err != nil {
			return u, err
		}
		rss, err := rssMB(pid)
		if err != nil {
			return u, err
		}
		u.ticks, u.rss, u.agentRSS = u.ticks+n, u.rss+rss, rss // the agent is the last
	}
	return u, nil
}

// cpuTicks is the processor time of a process and its threads.
func cpuTicks(pid int) (int, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	fields := strings.Fields(rest) // from the third column of proc(5) on
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat: %q", pid, b)
	}
	user, err := strconv.Atoi(fields[11])
	if err != nil {
		return 0, err
	}
	system, err := strconv.Atoi(fields[12])
	return user + system, err
}

func rssMB(pid int) (float64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(b), "VmRSS:")
	var kB float64
	if _, err := fmt.Sscan(rest, &kB); err != nil {
		return 0, fmt.Errorf("/proc/%d/status: %w", pid, err)
	}
	return kB / 1024, nil
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

const busyFor = 2 * time.Minute

// busy counts what goes wrong when no core has time, while every host lives.
func busy(ctx context.Context, b *bench) error {
	if err := b.deploySpread(ctx, tasks); err != nil {
		return err
	}
	before, err := fleet.Containers(ctx, service, b.fleet.Hosts...)
	if err != nil {
		return err
	}
	after, err := lastEvent(ctx, b)
	if err != nil {
		return err
	}
	if err := b.burn(ctx); err != nil {
		return err
	}
	down := 0
	events, err := fleet.Events(ctx, b.fleet.Any(), after)
	if err != nil {
		return err
	}
	for _, e := range events {
		if e.Type == "node" && e.Action == "down" {
			down++
		}
	}
	running, err := fleet.Containers(ctx, service, b.fleet.Hosts...)
	if err != nil {
		return err
	}
	alive := make(map[string]bool)
	for _, c := range running {
		alive[c.ID] = true
	}
	moved := 0
	for _, c := range before {
		if !alive[c.ID] {
			moved++
		}
	}
	tell("two busy minutes: %d nodes taken for down, %d containers replaced", down, moved)
	b.figures.FalseDown, b.figures.Moved = &down, &moved
	return nil
}

func lastEvent(ctx context.Context, b *bench) (uint64, error) {
	events, err := fleet.Events(ctx, b.fleet.Any(), 0)
	if err != nil || len(events) == 0 {
		return 0, err
	}
	return events[len(events)-1].Index, nil
}
