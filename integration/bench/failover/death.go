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

func followerDeaths(ctx context.Context, b *bench) (err error) {
	b.figures.Follower, err = b.deaths(ctx, b.nextFollower)
	return err
}

func leaderDeaths(ctx context.Context, b *bench) (err error) {
	b.figures.Leader, err = b.deaths(ctx, func(ctx context.Context, _ int) (*lab.Host, error) { return b.fleet.Leader(ctx) })
	return err
}

// nextFollower takes turns among the hosts that do not lead: one that dies again
// and again is given no tasks for a while.
func (b *bench) nextFollower(ctx context.Context, run int) (*lab.Host, error) {
	leader, err := b.fleet.Leader(ctx)
	if err != nil {
		return nil, err
	}
	followers := b.fleet.Others(leader)
	return followers[run%len(followers)], nil
}

// deaths are what the deaths of hosts cost, one entry a run.
type deaths struct {
	running []float64 // seconds until all tasks ran on the others
	answers []float64 // seconds until the last request failed at the others
	failed  []int     // requests that failed
	slowest []float64 // seconds that the slowest request took
}

func (b *bench) deaths(ctx context.Context, choose func(ctx context.Context, run int) (*lab.Host, error)) (deaths, error) {
	var all deaths
	for run := range b.runs {
		if err := b.deployEvenly(ctx, tasks); err != nil {
			return all, err
		}
		victim, err := choose(ctx, run)
		if err != nil {
			return all, err
		}
		if err := b.death(ctx, victim, &all); err != nil {
			return all, fmt.Errorf("%s died: %w", victim.Name, err)
		}
		if err := b.fleet.Return(ctx, victim); err != nil {
			return all, err
		}
		if err := b.fleet.AwaitReady(ctx, b.fleet.Hosts...); err != nil {
			return all, err
		}
	}
	return all, nil
}

// death kills a host that has its share of the stack, and adds what it cost.
func (b *bench) death(ctx context.Context, victim *lab.Host, all *deaths) error {
	survivors := b.fleet.Others(victim)
	c := b.askAll(ctx, survivors)
	defer c.stop()

	begun := time.Now()
	if err := victim.Kill(); err != nil {
		return err
	}
	if err := awaitRunning(ctx, tasks, survivors...); err != nil {
		return err
	}
	running := time.Since(begun)
	if err := c.awaitCalm(ctx); err != nil {
		return err
	}
	c.stop()
	answers := time.Duration(0)
	if c.failed > 0 {
		answers = c.last.Sub(begun)
	}
	all.running = append(all.running, running.Seconds())
	all.answers = append(all.answers, answers.Seconds())
	all.failed = append(all.failed, c.failed)
	all.slowest = append(all.slowest, c.slowest.Seconds())
	tell("%s died: all run after %.2f s; of %d requests %d failed, the last after %.2f s, the slowest took %.2f s",
		victim.Name, running.Seconds(), c.asked, c.failed, answers.Seconds(), c.slowest.Seconds())
	return nil
}

// requestLimit is how long a request may take; one that takes longer has failed.
const requestLimit = time.Second

// callers ask hosts again and again. The counts are to be read after stop.
type callers struct {
	stop func()

	mu      sync.Mutex
	asked   int
	failed  int
	last    time.Time     // when the last failure was known
	slowest time.Duration // of all requests, failed ones too
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
				begun := time.Now()
				_, err := b.fleet.Ask(ctx, h, port, requestLimit)
				if ctx.Err() == nil {
					c.count(begun, time.Now(), err)
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

func (c *callers) count(begun, ended time.Time, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	c.slowest = max(c.slowest, ended.Sub(begun))
	if err != nil {
		c.failed++
		c.last = ended
	}
}

func (c *callers) lastFailure() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

// awaitCalm waits until nothing has failed for a while.
func (c *callers) awaitCalm(ctx context.Context) error {
	begun := time.Now()
	return fleet.Within(ctx, time.Minute, "steady answers", func(context.Context) error {
		if since := time.Since(c.lastFailure()); since < calm || time.Since(begun) < calm {
			return fmt.Errorf("the last request failed %v ago", since.Round(time.Millisecond))
		}
		return nil
	})
}
