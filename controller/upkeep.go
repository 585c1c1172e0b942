package controller

import (
	"context"
	"time"
)

// together is within what time of each other two chores share a wake-up. To be
// woken costs a host at rest more than most chores do.
const together = 50 * time.Millisecond

// chore is something that a leader sees to from time to time, and that can wait
// for another chore: step does what is due and says when to look again.
type chore struct {
	step func(ctx context.Context) time.Duration
	due  time.Time
}

// upkeep does chores, one after the other, until ctx ends.
func upkeep(ctx context.Context, chores []*chore) {
	for {
		now := time.Now()
		var next time.Time
		for _, c := range chores {
			if c.due.Sub(now) < together && ctx.Err() == nil {
				pause := c.step(ctx) // which may take long
				c.due = time.Now().Add(pause)
			}
			next = earliest(next, c.due)
		}
		t := time.NewTimer(time.Until(next))
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
		}
	}
}

// chores are those of this term. The first look at the voters is at once; the
// rest has time.
func (l *loop) chores() []*chore {
	now := time.Now()
	all := []*chore{
		{step: l.newStandby(), due: now.Add(standbyEvery)},
		{step: l.retain, due: now.Add(retainEvery)},
		{step: l.rebalance, due: now.Add(rebalanceEvery)},
		{step: l.weigh, due: now.Add(weighEvery)},
	}
	if l.cfg.Voters != nil {
		all = append(all, &chore{step: l.newSeating().step, due: now})
	}
	if l.cfg.Keys != nil {
		all = append(all, &chore{step: l.rotateOnce, due: now.Add(rotationEvery)})
	}
	return all
}
