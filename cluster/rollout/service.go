package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// work is the decision about one service.
type work struct {
	*pass
	svc    *cluster.Service
	policy cluster.Update
	held   bool            // no task of the seat at hand is replaced for its generation
	tasks  []*cluster.Task // by slot, then by age

	moving   int       // seats in transition
	failing  int       // seats that are given up
	waiting  []*seat   // seats whose running holder must move
	lastMove time.Time // when the newest handover was complete
}

// newWork begins with a service. What the pass knew of another one's tasks is gone then.
func newWork(p *pass, s *cluster.Service) *work {
	p.tasks = slices.AppendSeq(p.tasks[:0], p.view.TasksOf(s.ID))
	return &work{pass: p, svc: s, policy: s.Policy(), tasks: p.tasks}
}

// remove stops all tasks and forgets the service once they are over.
func (w *work) remove() {
	over := true
	for _, t := range w.tasks {
		if live(t) {
			w.stop(t, "the service was removed")
		}
		over = over && w.over(t)
	}
	if over {
		w.out.Forget = append(w.out.Forget, w.svc.ID)
	}
}

// decide judges the update, settles every seat, and then starts as many moves as
// the update policy allows.
func (w *work) decide() error {
	seats, err := w.judged()
	if err != nil {
		return err
	}
	tolerant := w.tolerant(seats)
	for _, s := range seats {
		w.held = s.held
		moving, failing := w.moving, w.failing
		w.settle(s)
		if tolerant && w.flunked(s) != nil {
			w.moving, w.failing = moving, failing // it holds up nothing
		}
	}
	w.startMoves()
	return nil
}

// tolerant reports whether the update goes on in spite of the seats that failed.
func (w *work) tolerant(seats []*seat) bool {
	if w.policy.FailureAction != cluster.ActionContinue && w.policy.MaxFailureRatio == 0 {
		return false
	}
	failing := 0
	for _, s := range seats {
		if w.flunked(s) != nil {
			failing++
		}
	}
	return failing > 0 && w.policy.Allows(failing, len(seats))
}

func (w *work) seats() ([]*seat, error) {
	if w.svc.Spec.Mode == cluster.Global {
		return w.globalSeats()
	}
	return w.replicatedSeats(), nil
}

// replicatedSeats are the slots from 1 to the number of replicas. What is in a
// higher slot stops.
func (w *work) replicatedSeats() []*seat {
	all := make([]seat, max(w.svc.Spec.Replicas, 0))
	seats := make([]*seat, len(all))
	for i := range seats {
		all[i].slot, seats[i] = i+1, &all[i]
	}
	for i, t := range w.tasks {
		if t.Slot >= 1 && t.Slot <= len(seats) {
			w.give(seats[t.Slot-1], i)
		} else if t.Desired == cluster.Running {
			w.stop(t, fmt.Sprintf("scaled to %d", len(seats)))
		}
	}
	return seats
}

// give adds the i-th task of the service to those of a seat. Most seats have tasks
// that follow each other: those are not copied.
func (w *work) give(s *seat, i int) {
	n := len(s.tasks)
	if n == 0 || i > 0 && &s.tasks[n-1] == &w.tasks[i-1] {
		s.tasks = w.tasks[i-n : i+1 : i+1]
		return
	}
	s.tasks = append(s.tasks, w.tasks[i])
}

// startMoves hands over the seats of running holders, those that are not ready
// first, while fewer than the service's parallelism are in transition. A new
// task that does not become ready keeps its seat in transition, so that it
// costs no further healthy task.
func (w *work) startMoves() {
	slices.SortStableFunc(w.waiting, func(a, b *seat) int {
		return cmp.Or(
			last(w.voluntary(a.holder), w.voluntary(b.holder)),
			last(w.ready(a.holder), w.ready(b.holder)),
			cmp.Compare(a.slot, b.slot),
		)
	})
	if next := w.lastMove.Add(w.policy.Delay); next.After(w.now) && len(w.waiting) > 0 {
		w.wakeAt(next)
		return
	}
	for _, s := range w.waiting {
		w.held = s.held
		busy := w.moving
		if w.updates(s.holder) {
			busy += w.failing
		}
		if busy >= max(w.policy.Parallelism, 1) || w.voluntary(s.holder) && !w.mayMove(s.holder) {
			continue
		}
		w.moving++
		if w.policy.Order == cluster.StopFirst {
			stop := w.stop(s.holder, w.whyMove(s.holder))
			stop.Drained, stop.Leaving = w.drained(s.holder), w.voluntary(s.holder)
		} else {
			w.create(s, s.holder.ID)
		}
	}
}

// last orders what is so behind what is not.
func last(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// create makes a task in the seat. placement gives it a node. Finished tasks that it follows are stopped, so that the state need
// not keep them all.
func (w *work) create(s *seat, replaces cluster.TaskID) *cluster.Task {
	for _, t := range s.tasks {
		if t.Desired == cluster.Running && finished(t) {
			w.stop(t, "another task follows")
		}
	}
	generation, t := w.generationFor(replaces)
	w.out.Create = append(w.out.Create, cluster.Task{
		ID: w.newID(), Service: w.svc.ID, Slot: s.slot, Generation: generation,
		Pinned: s.pin, Replaces: replaces, Desired: cluster.Running,
		Resources: t.Reservations, HostPorts: t.HostPorts(), Created: w.now, Updated: w.now,
	})
	return &w.out.Create[len(w.out.Create)-1]
}

// generationFor is the generation and the template of a task that follows another:
// the current one, or the other's where that is not to be replaced for it. Where
// nothing was before, or only what had been stopped, such as a canary that the
// seat does not have any more, it is then the spare one.
func (w *work) generationFor(replaces cluster.TaskID) (uint64, *cluster.Template) {
	if w.held {
		generation := w.spareGeneration()
		if prev, ok := w.view.Task(replaces); ok && (generation == 0 || prev.Desired == cluster.Running || prev.Generation == w.svc.Generation && !w.svc.OnTrial()) {
			generation = prev.Generation
		}
		if t, kept := w.svc.Template(generation); kept {
			return generation, &t
		}
	}
	return w.svc.Generation, &w.svc.Spec.Template
}

// spareGeneration is what a seat gets that had nothing and is not to try the current
// generation: the last good one, or beside a canary the newest that is none; 0:
// there is none.
func (w *work) spareGeneration() uint64 {
	if last, good := w.svc.LastGood(); good {
		return last.Number
	}
	if !w.svc.OnTrial() {
		return 0
	}
	for _, g := range slices.Backward(w.svc.History) {
		if g.Release.Canary == 0 && g.Release.Outcome != cluster.OutcomeFailed {
			return g.Number
		}
	}
	return 0
}

// current reports whether nothing asks for another generation of the task.
func (w *work) current(t *cluster.Task) bool { return w.held || t.Generation == w.svc.Generation }

// stop ends a task, provided that its service does not change meanwhile. The
// caller adds what else it rests on.
func (w *work) stop(t *cluster.Task, reason string) *state.StopTask {
	w.out.Stop = append(w.out.Stop, state.StopTask{Task: t.ID, Reason: reason, Seen: w.svc.Updated})
	return &w.out.Stop[len(w.out.Stop)-1]
}

// stopIdle ends a task that does nothing as long as it is not ready.
func (w *work) stopIdle(t *cluster.Task, reason string) { w.stop(t, reason).Idle = !t.Ready() }
