package worker

import (
	"context"
	"errors"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

// Settle enters how an action went, err being nil where it succeeded. It is
// pure but for m's own maps. A failure that the caller's shutdown made is none.
func (m *Memory) Settle(a Action, err error, now time.Time) {
	if errors.Is(err, context.Canceled) {
		return
	}
	switch a.Kind {
	case Fetch:
		m.fetched(a.Image, err, now)
	case Create, Start:
		m.started(a, err, now)
	case Stop, Remove:
		m.stopped(a, err, now)
	}
}

// fetched lets the tasks that wait for the image try again.
func (m *Memory) fetched(digest string, err error, now time.Time) {
	i := m.Images[digest]
	i.Tries++
	i.NextTry = now.Add(delay(cluster.RestartPolicy{}, i.Tries))
	i.Missing, i.Nowhere, i.Error = err != nil, errors.Is(err, runtime.ErrNotFound), ""
	if err != nil {
		i.Error = err.Error()
	}
	m.Images[digest] = i
}

func (m *Memory) started(a Action, err error, now time.Time) {
	l, ok := m.Tasks[a.Task]
	if !ok {
		return
	}
	policy := a.Assignment.Template.Restart
	f := failure{at: now, elapsed: true}
	if err != nil {
		f.why = err.Error()
	}
	switch {
	case err == nil:
		delete(m.Images, imageOf(a.Assignment))
	case errors.Is(err, runtime.ErrNotFound) && a.Kind == Create:
		i := m.Images[imageOf(a.Assignment)]
		i.Missing = true
		m.Images[imageOf(a.Assignment)] = i
	case errors.Is(err, runtime.ErrNotFound):
		l.Anew, f.elapsed = true, false
		l = l.fail(policy, f)
	case errors.Is(err, runtime.ErrEngine), errors.Is(err, runtime.ErrPortBusy), errors.Is(err, runtime.ErrAddressBusy), errors.Is(err, runtime.ErrConflict):
		f.elapsed = false
		l = l.fail(policy, f)
	default:
		l = l.fail(policy, f)
	}
	m.Tasks[a.Task] = l
}

// stopped delays the next attempt after a failed one.
func (m *Memory) stopped(a Action, err error, now time.Time) {
	if err == nil {
		return
	}
	next := now.Add(retryStop)
	if a.Task == "" {
		m.Strays[a.Container] = next
		return
	}
	if l, ok := m.Tasks[a.Task]; ok {
		l.NextStop = next
		if !l.NextTry.After(next) {
			l.NextTry = next
		}
		m.Tasks[a.Task] = l
	}
}

// retryStop is the pause after a stop or a removal that failed.
const retryStop = 5 * time.Second
