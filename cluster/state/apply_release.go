package state

import (
	"fmt"
	"slices"
	"time"

	"github.com/musterhq/muster/cluster"
)

// mark remembers what an update is judged by: when a task was ready for the
// first time, and that it failed before it had been so for the service's monitor
// time, or goes on failing while the update is still open. It depends on the log
// alone, so that no leader has to look at the right moment.
func (tx *tx) mark(old, t *cluster.Task) {
	if t.ReadyAt.IsZero() && t.Ready() {
		t.ReadyAt = tx.now
	}
	s, ok := tx.services.get(string(t.Service))
	if !ok || !t.FailedAt.IsZero() || t.Desired != cluster.Running || !failing(old, t, tx.now) {
		return
	}
	soon := t.ReadyAt.IsZero() || tx.now.Sub(t.ReadyAt) < s.Policy().Monitored()
	if soon || onTrial(s, t) && keepsFailing(s, t) {
		t.FailedAt = tx.now
	}
}

// onTrial reports whether the task is of an update, or a return, that has not been
// judged: it has seats to go, waits for one that holds it up, or is a canary.
func onTrial(s *cluster.Service, t *cluster.Task) bool {
	return s.Outcome() == "" && t.Generation == s.Generation
}

// keepsFailing reports whether a failing task is more than disturbed: after the
// monitor time a container that ran for long and ended may have been the victim of
// an engine that was restarted, or of its host, and is given another start.
func keepsFailing(s *cluster.Service, t *cluster.Task) bool {
	o := &t.Observed
	if o.Phase != cluster.PhaseBackoff {
		return o.Phase == cluster.PhaseExited || o.Health == cluster.HealthUnhealthy
	}
	ran := o.Finished.Sub(o.Started)
	return !o.Started.IsZero() && ran >= 0 && ran < s.Spec.Template.Restart.Forgives()
}

// startGrace is how long starts may be refused before that is a failure: an
// engine may not answer, a port may be about to be freed.
const startGrace = 30 * time.Second

// failing reports whether the newest observation is one of a failure: the
// container ended or is unhealthy, or it cannot be started.
func failing(old, t *cluster.Task, now time.Time) bool {
	o := &t.Observed
	switch {
	case o.Restarts > old.Observed.Restarts, o.Health == cluster.HealthUnhealthy:
		return true
	case o.Phase == cluster.PhaseExited:
		return o.Final && !t.Completed()
	case o.Phase != cluster.PhaseBackoff:
		return false
	case o.NoImage: // which no grace brings
		return true
	}
	ran := !o.Started.IsZero() && !o.Finished.Before(o.Started)
	return ran || now.Sub(t.Created) >= startGrace
}

// judge records how an update or a return went, unless the service has changed
// or was judged already.
func (tx *tx) judge(v Verdict) {
	old, ok := tx.services.get(string(v.Service))
	if ok && !old.Removing && v.Past {
		tx.vouch(old, v)
		return
	}
	if !ok || old.Removing || old.Generation != v.Generation || old.Outcome() != "" {
		return
	}
	s := *old
	switch {
	case v.Outcome == cluster.OutcomeFailed:
		tx.giveUp(&s, v.Reason)
		return
	case s.Returned != nil:
		back := *s.Returned
		back.Outcome = v.Outcome
		s.Returned = &back
		if v.Outcome == cluster.OutcomeGood {
			s.Release.Outcome, s.Release.Reason = v.Outcome, ""
		}
	default:
		s.Release.Outcome, s.Release.Reason = v.Outcome, v.Reason
	}
	tx.putService(&s)
	if v.Outcome == cluster.OutcomePaused {
		tx.event(Event{Type: "service", Action: "paused", Object: string(s.ID), Service: string(s.ID), Message: v.Reason})
	}
}

// vouch records how a generation was that the service has left unjudged, unless
// there is a good one by now.
func (tx *tx) vouch(old *cluster.Service, v Verdict) {
	i := slices.IndexFunc(old.History, func(g cluster.Generation) bool { return g.Number == v.Generation })
	if _, good := old.LastGood(); good || i < 0 || old.History[i].Release.Outcome != "" {
		return
	}
	s := *old
	s.History = slices.Clone(old.History)
	s.History[i].Release.Outcome, s.History[i].Release.Reason = v.Outcome, v.Reason
	tx.putService(&s)
}

// giveUp takes a service whose update failed back to its last good generation.
// Without one it stays as it is.
func (tx *tx) giveUp(s *cluster.Service, reason string) {
	good, ok := s.LastGood()
	if !ok || s.Returned != nil {
		return
	}
	s.Release.Outcome, s.Release.Reason = cluster.OutcomeFailed, reason
	tx.returnTo(s, good, reason, cluster.Note{})
	tx.event(Event{
		Type: "service", Action: "rolled-back", Object: string(s.ID), Service: string(s.ID),
		Message: fmt.Sprintf("from generation %d to %d: %s", s.Returned.From, s.Generation, reason),
	})
}

// returnTo makes an earlier generation the current one. Its tasks that are left
// stay; the generation that is left goes into the history.
func (tx *tx) returnTo(s *cluster.Service, g cluster.Generation, reason string, note cluster.Note) {
	s.History = slices.DeleteFunc(slices.Clone(s.History), func(o cluster.Generation) bool { return o.Number == g.Number })
	s.History = append(s.History, cluster.Generation{Number: s.Generation, Template: s.Spec.Template, Created: s.Updated, Release: s.Release})
	s.Returned = &cluster.Return{From: s.Generation, At: tx.now, Reason: reason, Note: note}
	s.Generation, s.Spec.Template, s.Release, s.SetAside = g.Number, g.Template, g.Release, ""
	tx.putService(s)
}
