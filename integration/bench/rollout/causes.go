//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/musterhq/muster/integration/fleet"
	"github.com/musterhq/muster/integration/lab"
)

const (
	service = "bench/web"
	tasks   = 6
	port    = 8080
	// calm is how long the load runs before and after what is staged.
	calm = time.Second
)

// compose has a health check, as whoever wants no lost request has one.
const compose = `name: bench
services:
  web:
    image: %s
    ports: ["%d:80"]
    stop_grace_period: 5s
    healthcheck: {test: ["CMD", "/hello", "healthcheck"], interval: 500ms, start_period: 10s}
    deploy:
      replicas: %d
      update_config: {parallelism: 2, order: start-first, monitor: 1s}
      resources:
        reservations: {cpus: "0.01", memory: 8M}
`

func (b *bench) deployImage(ctx context.Context, image string) error {
	file := filepath.Join(b.fleet.Lab.Dir, "bench.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, compose, image, port, tasks), 0o600); err != nil {
		return err
	}
	_, err := fleet.Run(ctx, b.fleet.Any(), "deploy", "-y", "-f", file)
	return err
}

func deploy(ctx context.Context, b *bench, i int) error {
	return b.deployImage(ctx, []string{lab.Hello2, lab.Hello}[i%2])
}

func drain(ctx context.Context, b *bench, i int) error {
	h := b.fleet.Hosts[i%len(b.fleet.Hosts)]
	if _, err := fleet.Run(ctx, b.fleet.Others(h)[0], "node", "drain", "-y", h.Name); err != nil {
		return err
	}
	if _, err := fleet.AwaitRunning(ctx, service, 0, h); err != nil {
		return err
	}
	if _, err := fleet.Run(ctx, b.fleet.Others(h)[0], "node", "uncordon", h.Name); err != nil {
		return err
	}
	_, err := fleet.Run(ctx, b.fleet.Others(h)[0], "rebalance", "-y")
	return err
}

func killAgent(ctx context.Context, b *bench, i int) error {
	h := b.fleet.Hosts[i%len(b.fleet.Hosts)]
	if err := h.KillAgent(ctx); err != nil {
		return err
	}
	if err := wait(ctx, calm); err != nil {
		return err
	}
	if err := b.fleet.StartAgents(ctx, h); err != nil {
		return err
	}
	return b.fleet.AwaitReady(ctx, b.fleet.Hosts...)
}

func replaceDataPlane(ctx context.Context, b *bench, i int) error {
	h := b.fleet.Hosts[i%len(b.fleet.Hosts)]
	old := h.DataPlanePIDs()
	if len(old) == 0 {
		return fmt.Errorf("%s has no data plane", h.Name)
	}
	for _, pid := range old { // one that was replaced before takes no notice
		if err := unix.Kill(pid, unix.SIGHUP); err != nil && !errors.Is(err, unix.ESRCH) {
			return err
		}
	}
	return fleet.Within(ctx, time.Minute, "another data plane", func(context.Context) error {
		now := h.DataPlanePIDs()
		if slices.ContainsFunc(now, func(pid int) bool { return !slices.Contains(old, pid) }) {
			return nil
		}
		return fmt.Errorf("the data planes of %s are %d", h.Name, now)
	})
}

func killTask(ctx context.Context, b *bench, _ int) error {
	running, err := fleet.AwaitRunning(ctx, service, tasks, b.fleet.Hosts...)
	if err != nil {
		return err
	}
	c := running[0]
	died := time.Now()
	status, answer, err := c.Host.DockerAPI(ctx, "POST", "/containers/"+c.ID+"/kill?signal=KILL", nil)
	if err != nil || status >= 300 {
		return fmt.Errorf("kill %s: %d %s %w", c.Name, status, answer, err)
	}
	defer b.late("task", died)
	if err := wait(ctx, 3*calm); err != nil {
		return err
	}
	_, err = fleet.AwaitRunning(ctx, service, tasks, b.fleet.Hosts...)
	return err
}

func killHost(ctx context.Context, b *bench, i int) error {
	h := b.fleet.Hosts[i%len(b.fleet.Hosts)]
	b.load.skip(h.Addr)
	if err := wait(ctx, requestLimit); err != nil {
		return err
	}
	died := time.Now()
	if err := h.Kill(); err != nil {
		return err
	}
	if _, err := fleet.AwaitRunning(ctx, service, tasks, b.fleet.Others(h)...); err != nil {
		return err
	}
	if err := wait(ctx, 3*calm); err != nil {
		return err
	}
	b.late("host", died)
	if err := b.fleet.Return(ctx, h); err != nil {
		return err
	}
	return b.fleet.AwaitReady(ctx, b.fleet.Hosts...)
}

// late notes how long after a death the last request was sent that failed.
func (b *bench) late(what string, died time.Time) {
	after := max(b.load.lastFailure().Sub(died), 0) // before the first death, or never
	b.figures.Late[what] = max(b.figures.Late[what], float64(after.Milliseconds()))
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
