package sim

import "time"

// event is something that happens at a virtual time. Events of one time happen
// in the order in which they were scheduled.
type event struct {
	at  time.Duration
	seq uint64
	do  func()
}

// queue is a heap: what is at i is due before what is at 2i+1 and 2i+2.
type queue []event

func (q queue) before(i, j int) bool {
	if q[i].at != q[j].at {
		return q[i].at < q[j].at
	}
	return q[i].seq < q[j].seq
}

func (q *queue) push(e event) {
	*q = append(*q, e)
	for i := len(*q) - 1; i > 0; {
		above := (i - 1) / 2
		if !q.before(i, above) {
			return
		}
		(*q)[i], (*q)[above] = (*q)[above], (*q)[i]
		i = above
	}
}

// pop takes out what is due first; the queue is not empty.
func (q *queue) pop() event {
	all := *q
	first, last := all[0], len(all)-1
	all[0], all[last] = all[last], event{}
	all = all[:last]
	*q = all
	for i := 0; ; {
		below := 2*i + 1
		if below+1 < last && all.before(below+1, below) {
			below++
		}
		if below >= last || !all.before(below, i) {
			return first
		}
		all[i], all[below] = all[below], all[i]
		i = below
	}
}

// after schedules do; a time that has passed means now.
func (w *World) after(d time.Duration, do func()) {
	w.seq++
	w.queue.push(event{at: w.now + max(d, 0), seq: w.seq, do: do})
}

// until lets everything happen that is due before the given time.
func (w *World) until(end time.Duration) {
	for w.failure == nil && len(w.queue) > 0 && w.queue[0].at <= end {
		e := w.queue.pop()
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
