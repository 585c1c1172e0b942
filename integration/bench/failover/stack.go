//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/musterhq/muster/integration/fleet"
	"github.com/musterhq/muster/integration/lab"
)

const (
	service = "bench/web"
	port    = 8080
	// polling the engines any faster would take processor time from what is
	// measured.
	pollEvery = 30 * time.Millisecond
)

// compose has no health check: a task counts from the moment that its container
// runs, in Muster and on the bare engines.
const compose = `name: bench
services:
  web:
    image: %s
    ports: ["%d:80"]
    stop_grace_period: 1s
    deploy:
      replicas: %d
      resources:
        reservations: {cpus: "0.01", memory: 8M}
`

// deploy makes the stack of n tasks without waiting for them.
func (b *bench) deploy(ctx context.Context, n int) error {
	file := filepath.Join(b.fleet.Lab.Dir, fmt.Sprintf("bench-%d.yaml", n))
	if err := os.WriteFile(file, fmt.Appendf(nil, compose, lab.Hello, port, n), 0o600); err != nil {
		return err
	}
	_, err := fleet.Run(ctx, b.fleet.Any(), "deploy", "-d", "-f", file)
	return err
}

// deploySpread deploys n tasks from nothing, so that each host has its share,
// and returns when all run and every host answers.
func (b *bench) deploySpread(ctx context.Context, n int) error {
	if err := b.remove(ctx); err != nil {
		return err
	}
	if err := b.deploy(ctx, n); err != nil {
		return err
	}
	if _, err := fleet.AwaitRunning(ctx, service, n, b.fleet.Hosts...); err != nil {
		return err
	}
	return b.fleet.AwaitAnswers(ctx, port, b.fleet.Hosts...)
}

// evenWithin is how long a host that died often may be given no tasks.
const evenWithin = 15 * time.Minute

// deployEvenly is deploySpread until every host has the same share: the death of
// a host that runs less costs less, and would be no measurement.
func (b *bench) deployEvenly(ctx context.Context, n int) error {
	ctx, cancel := context.WithTimeout(ctx, evenWithin)
	defer cancel()
	for told := false; ; {
		if err := b.deploySpread(ctx, n); err != nil {
			return err
		}
		share := make(map[string]int)
		running, err := fleet.Containers(ctx, service, b.fleet.Hosts...)
		if err != nil {
			return err
		}
		for _, c := range running {
			share[c.Host.Name]++
		}
		even := true
		for _, h := range b.fleet.Hosts {
			even = even && share[h.Name] == n/len(b.fleet.Hosts)
		}
		if even {
			return nil
		}
		if !told {
			told = true
			tell("the tasks are spread as %v: waiting until every host takes its share", share)
		}
		if err := wait(ctx, 10*time.Second); err != nil {
			return fmt.Errorf("the tasks are spread as %v: %w", share, err)
		}
	}
}

// remove removes the stack, if there is one, and waits until nothing of it runs.
func (b *bench) remove(ctx context.Context) error {
	services, err := fleet.Run(ctx, b.fleet.Any(), "ls", "-q")
	if err != nil {
		return err
	}
	if services != "" {
		if _, err := fleet.Run(ctx, b.fleet.Any(), "rm", "-y", "bench"); err != nil {
			return err
		}
	}
	_, err = fleet.AwaitRunning(ctx, service, 0, b.fleet.Hosts...)
	return err
}

// awaitRunning returns when n containers run on hosts, with little load of its
// own.
func awaitRunning(ctx context.Context, n int, hosts ...*lab.Host) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		running, err := fleet.Containers(ctx, service, hosts...)
		if err == nil && len(running) >= n {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d of %d run: %w", len(running), n, ctx.Err())
		case <-tick.C:
		}
	}
}
