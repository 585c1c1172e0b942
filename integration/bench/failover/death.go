//go:build linux

package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/musterhq/muster/integration/fleet"
	"github.com/musterhq/muster/integration/lab"
)

const (
	tasks = 12
	// calm is how long all must have been well before the answers count as
	// steady.
	calm = time.Second
)

func followerDeaths(ctx context.Context, b *bench) error {
	for range b.runs {
		d, err := b.death(ctx, b.fleet.Follower)
		if err != nil {
			return err
		}
		b.figures.Follower = append(b.figures.Follower, d.running.Seconds())
		b.figures.FollowerAnswers = append(b.figures.FollowerAnswers, d.answers.Seconds())
	}
	return nil
}

func leaderDeaths(ctx context.Context, b *bench) error {
	for range b.runs {
		d, err := b.death(ctx, b.fleet.Leader)
		if err != nil {
			return err
		}
		b.figures.Leader = append(b.figures.Leader, d.running.Seconds())
		b.figures.LeaderAnswers = append(b.figures.LeaderAnswers, d.answers.Seconds())
	}
	return nil
}

// death is what one death of a host cost.
type death struct {
	running time.Duration // until all tasks ran on the others
	answers time.Duration // until the others answered every request
}

// death kills the chosen host under a spread stack, and brings it back.
func (b *bench) death(ctx context.Context, choose func(context.Context) (*lab.Host, error)) (death, error) {
	if err := b.deploySpread(ctx, tasks); err != nil {
		return death{}, err
	}
	victim, err := choose(ctx)
	if err != nil {
		return death{}, err
	}
	survivors := b.fleet.Others(victim)
	c := b.askAll(ctx, survivors)
	defer c.stop()

	begun := time.Now()
	if err := victim.Kill(); err != nil {
		return death{}, err
	}
	if err := awaitRunning(ctx, tasks, survivors...); err != nil {
		return death{}, fmt.Errorf("%s died: %w", victim.Name, err)
	}
	d := death{running: time.Since(begun)}
	last, err := c.awaitCalm(ctx)
	if err != nil {
		return death{}, err
	}
	d.answers = max(0, last.Sub(begun))
	tell("%s died: all run after %.2f s, all answer after %.2f s", victim.Name, d.running.Seconds(), d.answers.Seconds())

	c.stop()
	if err := b.fleet.Return(ctx, victim); err != nil {
		return death{}, err
	}
	return d, b.fleet.AwaitReady(ctx, b.fleet.Hosts...)
}

// callers ask hosts again and again and remember the last request that failed.
type callers struct {
	stop func()

	mu   sync.Mutex
	last time.Time // when the last failure was known; zero: there was none
}

func (b *bench) askAll(ctx context.Context, hosts []*lab.Host) *callers {
	ctx, cancel := context.WithCancel(ctx)
	c := &callers{}
	var running sync.WaitGroup
	for _, h := range hosts {
		running.Go(func() {
			tick := time.NewTicker(pollEvery)
			defer tick.Stop()
			for ctx.Err() == nil {
				if _, err := b.fleet.Ask(ctx, h, port, time.Second); err != nil && ctx.Err() == nil {
					c.failed(time.Now())
				}
				select {
				case <-ctx.Done():
				case <-tick.C:
				}
			}
		})
	}
	c.stop = func() {
		cancel()
		running.Wait()
	}
	return c
}

func (c *callers) failed(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = at
}

func (c *callers) lastFailure() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

// awaitCalm waits until nothing has failed for a while, and returns the time of
// the last failure.
func (c *callers) awaitCalm(ctx context.Context) (last time.Time, err error) {
	begun := time.Now()
	err = fleet.Within(ctx, time.Minute, "steady answers", func(context.Context) error {
		last = c.lastFailure()
		if since := time.Since(last); since < calm || time.Since(begun) < calm {
			return fmt.Errorf("the last request failed %v ago", since.Round(time.Millisecond))
		}
		return nil
	})
	return last, err
}
