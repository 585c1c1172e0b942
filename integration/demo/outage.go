//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/integration/fleet"
	"github.com/musterhq/muster/integration/lab"
)

const (
	lookEvery   = 25 * time.Millisecond
	lookLimit   = 300 * time.Millisecond
	outageLimit = time.Minute
	// steady is how many answers in a row count as answering again.
	steady = 20
)

// outage kills the leader's host and prints what happened until all was well.
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
	err = o.watch(ctx, survivors)
	o.print()
	if err != nil {
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

	mu    sync.Mutex
	notes []note

	// Of the goroutine that follows the tasks alone:
	seen map[string]string // task ID to the last state told
	ran  time.Time         // when all tasks ran; zero before
}

// note is a line of the timeline.
type note struct {
	at   time.Time
	text string
}

// watch returns when all tasks run and every survivor answers.
func (o *outage) watch(ctx context.Context, survivors []*lab.Host) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, h := range survivors {
		g.Go(func() error { return o.awaitAnswers(ctx, h) })
	}
	h := survivors[0]
	for _, look := range []func(context.Context) (bool, error){o.leads(h), o.counts(h), o.runs(h)} {
		g.Go(func() error { return follow(ctx, look) })
	}
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

// follow looks again and again until it has seen the end. Each look is short: one
// that a dead host holds up must not hide what happens meanwhile.
func follow(ctx context.Context, look func(context.Context) (done bool, err error)) error {
	for {
		short, cancel := context.WithTimeout(ctx, lookLimit)
		done, err := look(short)
		cancel()
		if done {
			return nil
		}
		if !pause(ctx) {
			return errors.Join(ctx.Err(), err)
		}
	}
}

// leads notes the new leader.
func (o *outage) leads(h *lab.Host) func(context.Context) (bool, error) {
	return func(ctx context.Context) (bool, error) {
		status, err := fleet.Status(ctx, h)
		if err != nil || status.Stale || status.Leader == "" || status.Leader == o.dead {
			return false, err
		}
		o.note("%s leads", status.Leader)
		return true, nil
	}
}

// counts notes that the dead host counts as down.
func (o *outage) counts(h *lab.Host) func(context.Context) (bool, error) {
	return func(ctx context.Context) (bool, error) {
		nodes, err := fleet.Nodes(ctx, h)
		if err != nil || nodes[o.dead].State != "down" {
			return false, err
		}
		o.note("%s counts as down", o.dead)
		return true, nil
	}
}

// runs notes where tasks are placed and when they run, until all do.
func (o *outage) runs(h *lab.Host) func(context.Context) (bool, error) {
	return func(ctx context.Context) (bool, error) {
		list, err := fleet.Tasks(ctx, h, service)
		if err != nil {
			return false, err
		}
		o.tell(list)
		return !o.ran.IsZero(), nil
	}
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
	if running == tasks && o.ran.IsZero() {
		o.ran = time.Now()
	}
}

func (o *outage) note(format string, args ...any) { o.noteAt(time.Now(), format, args...) }

func (o *outage) noteAt(at time.Time, format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.notes = append(o.notes, note{at, fmt.Sprintf(format, args...)})
}

// print writes the notes in the order of their times: that a host answers steadily
// again is known only a while after it began to.
func (o *outage) print() {
	slices.SortStableFunc(o.notes, func(a, b note) int { return a.at.Compare(b.at) })
	fmt.Println("       ms")
	for _, n := range o.notes {
		fmt.Printf("   %6d  %s\n", n.at.Sub(o.begun).Milliseconds(), n.text)
	}
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
