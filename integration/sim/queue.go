package sim

import (
	"container/heap"
	"time"
)

// event is something that happens at a virtual time. Events of one time happen
// in the order in which they were scheduled.
type event struct {
	at  time.Duration
	seq uint64
	do  func()
}

type queue []*event

func (q queue) Len() int { return len(q) }

func (q queue) Less(i, j int) bool {
	if q[i].at != q[j].at {
		return q[i].at < q[j].at
	}
	return q[i].seq < q[j].seq
}

func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

func (q *queue) Push(x any) { *q = append(*q, x.(*event)) }

func (q *queue) Pop() any {
	old := *q
	last := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	return last
}

// after schedules do; a time that has passed means now.
func (w *World) after(d time.Duration, do func()) {
	w.seq++
	heap.Push(&w.queue, &event{at: w.now + max(d, 0), seq: w.seq, do: do})
}

// until lets everything happen that is due before the given time.
func (w *World) until(end time.Duration) {
	for w.failure == nil && len(w.queue) > 0 && w.queue[0].at <= end {
		e := heap.Pop(&w.queue).(*event)
		w.now = e.at
		w.steps++
		e.do()
	}
	w.now = max(w.now, end)
}

// alarm is a timer that can be set again; only its last setting goes off.
type alarm struct{ set uint64 }

// at arms the alarm; schedule is where its owner's events go.
func (a *alarm) in(d time.Duration, schedule func(time.Duration, func()), do func()) {
	a.set++
	mine := a.set
	schedule(d, func() {
		if a.set == mine {
			do()
		}
	})
}

func (a *alarm) stop() { a.set++ }
