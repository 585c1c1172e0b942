//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/integration/fleet"
	"github.com/musterhq/muster/integration/lab"
)

const (
	lookEvery   = 25 * time.Millisecond
	outageLimit = time.Minute
	// steady is how many answers in a row count as answering again.
	steady = 20
)

// outage kills the leader's host and prints what happens until all is well.
func (s *story) outage(ctx context.Context) error {
	leader, err := s.fleet.Leader(ctx)
	if err != nil {
		return err
	}
	survivors := s.fleet.Others(leader)
	before, err := fleet.Tasks(ctx, survivors[0], service)
	if err != nil {
		return err
	}
	s.title(fmt.Sprintf("Cut the power of %s, which leads.", leader.Name))
	s.say("     ms")

	ctx, cancel := context.WithTimeout(ctx, outageLimit)
	defer cancel()
	o := &outage{fleet: s.fleet, dead: leader.Name, begun: time.Now(), seen: make(map[string]string)}
	for _, t := range before {
		o.seen[t.ID] = t.State
	}
	o.note("%s is gone", leader.Name)
	if err := leader.Kill(); err != nil {
		return err
	}
	if err := o.watch(ctx, survivors); err != nil {
		return errors.Join(fmt.Errorf("not everything runs again after %v: %w", outageLimit, err), s.tellWhy(survivors[0]))
	}
	s.say("")
	s.say("%d of %d containers run again %.1f s after the power cut; every host that is left answers.",
		tasks, tasks, o.ran.Sub(o.begun).Seconds())
	return s.muster(ctx, survivors[0], true, "ps")
}

// tellWhy adds what the cluster itself says about an outage that does not end.
func (s *story) tellWhy(h *lab.Host) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return errors.Join(s.muster(ctx, h, true, "status"), s.muster(ctx, h, true, "ps"))
}

// outage is what an observer has seen since a host died.
type outage struct {
	fleet *fleet.Fleet
	dead  string
	begun time.Time

	led, down bool
	seen      map[string]string // task ID to the last state told
	ran       time.Time         // when all tasks ran; zero before
}

// watch returns when all tasks run and every survivor answers.
func (o *outage) watch(ctx context.Context, survivors []*lab.Host) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, h := range survivors {
		g.Go(func() error { return o.awaitAnswers(ctx, h) })
	}
	g.Go(func() error { return o.awaitTasks(ctx, survivors[0]) })
	return g.Wait()
}

// awaitAnswers waits until h has answered many times in a row, and notes when
// that began.
func (o *outage) awaitAnswers(ctx context.Context, h *lab.Host) error {
	var since time.Time
	inRow, failed := 0, false
	for inRow < steady {
		_, err := o.fleet.Ask(ctx, h, port, 500*time.Millisecond)
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("%s does not answer: %w", h.Name, ctx.Err())
		case err != nil:
			inRow, failed = 0, true
		case inRow == 0:
			since = time.Now()
			fallthrough
		default:
			inRow++
		}
		if !pause(ctx) {
			return ctx.Err()
		}
	}
	if failed {
		o.noteAt(since, "%s answers every request again", h.Name)
	} else {
		o.noteAt(since, "%s answered every request all along", h.Name)
	}
	return nil
}

// awaitTasks follows the cluster as h sees it.
func (o *outage) awaitTasks(ctx context.Context, h *lab.Host) error {
	for {
		err := o.look(ctx, h)
		if err == nil && !o.ran.IsZero() {
			return nil
		}
		if !pause(ctx) {
			return errors.Join(ctx.Err(), err)
		}
	}
}

func (o *outage) look(ctx context.Context, h *lab.Host) error {
	if !o.led {
		status, err := fleet.Status(ctx, h)
		if err != nil {
			return err
		}
		if status.Leader != "" && status.Leader != o.dead && !status.Stale {
			o.led = true
			o.note("%s leads", status.Leader)
		}
	}
	if !o.down {
		nodes, err := fleet.Nodes(ctx, h)
		if err != nil {
			return err
		}
		if nodes[o.dead].State == "down" {
			o.down = true
			o.note("%s counts as down", o.dead)
		}
	}
	list, err := fleet.Tasks(ctx, h, service)
	if err != nil {
		return err
	}
	o.tell(list)
	return nil
}

// tell notes what is new about the tasks.
func (o *outage) tell(list []api.Task) {
	running := 0
	for _, t := range list {
		if t.Node == o.dead || t.Node == "" {
			continue
		}
		last, known := o.seen[t.ID]
		if !known {
			o.note("web %d is placed on %s", t.Slot, t.Node)
		}
		if t.State == "running" {
			running++
			if last != "running" {
				o.note("web %d runs on %s", t.Slot, t.Node)
			}
		}
		o.seen[t.ID] = t.State
	}
	if running == tasks && o.down && o.ran.IsZero() {
		o.ran = time.Now()
	}
}

func (o *outage) note(format string, args ...any) { o.noteAt(time.Now(), format, args...) }

func (o *outage) noteAt(at time.Time, format string, args ...any) {
	fmt.Printf("   %6d  %s\n", at.Sub(o.begun).Milliseconds(), fmt.Sprintf(format, args...))
}

// pause waits a little, and is false when ctx has ended.
func pause(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(lookEvery):
		return true
	}
}
