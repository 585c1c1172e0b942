//go:build linux

package main

import (
	"context"
	"fmt"
	"time"

	"github.com/musterhq/muster/integration/fleet"
	"github.com/musterhq/muster/integration/lab"
)

// agentKills are the deaths of the leader's agent alone.
func agentKills(ctx context.Context, b *bench) (err error) {
	b.figures.AgentKill, err = b.writes(ctx, "the leader's agent was killed",
		func(h *lab.Host) error { return h.KillAgent(ctx) },
		func(*lab.Host) error { return nil })
	return err
}

// hungDisks are disks that hang under the leader.
func hungDisks(ctx context.Context, b *bench) (err error) {
	b.figures.HungDisk, err = b.writes(ctx, "the leader's disk hangs", (*lab.Host).HangDisk, func(h *lab.Host) error {
		if err := h.ThawDisk(); err != nil {
			return err
		}
		return h.AwaitAgentGone(ctx) // it left when its disk hung
	})
	return err
}

// writes breaks the leader again and again, and returns the seconds until the
// next write was accepted by another host; mend comes before the agent is started
// again.
func (b *bench) writes(ctx context.Context, what string, harm, mend func(*lab.Host) error) ([]float64, error) {
	var all []float64
	for range b.runs {
		leader, err := b.fleet.Leader(ctx)
		if err != nil {
			return all, err
		}
		other := b.fleet.Others(leader)[0]
		begun := time.Now()
		if err := harm(leader); err != nil {
			return all, err
		}
		err = fleet.Within(ctx, time.Minute, "a write that is accepted", func(ctx context.Context) error {
			_, err := fleet.Run(ctx, other, "token", "create", "-q", "--ttl", "1m")
			return err
		})
		if err != nil {
			return all, err
		}
		all = append(all, time.Since(begun).Seconds())
		tell("%s (%s): the next write is accepted after %.2f s", what, leader.Name, time.Since(begun).Seconds())
		if err := mend(leader); err != nil {
			return all, err
		}
		if err := b.fleet.StartAgents(ctx, leader); err != nil {
			return all, fmt.Errorf("%s: %w", what, err)
		}
		if err := b.fleet.AwaitReady(ctx, b.fleet.Hosts...); err != nil {
			return all, err
		}
	}
	return all, nil
}
