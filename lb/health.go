package lb

import (
	"maps"
	"time"
)

// How long a backend that did not answer is left alone: FirstEjection, twice
// that after every further failure, MaxEjection at most.
const (
	FirstEjection = time.Second
	MaxEjection   = 10 * time.Second
)

// Health remembers the backends that did not answer (passive outlier
// ejection). It is a value: every change returns a new one and leaves the old
// one as it was. The zero Health trusts every backend.
//
//	          Fail                time passes               Begin
//	trusted --------> ejected ------------------> on trial -------> being tried
//	   ^                 ^                                            |   |
//	   |                 +---------------- Fail (for longer) ---------+   |
//	   +-------------------------- Answered ------------------------------+
type Health struct {
	suspects map[Backend]suspect
}

type suspect struct {
	failures int
	until    time.Time // not usable before
	trying   bool      // until is the end of a trial, not of an ejection
}

// Empty reports whether every backend is trusted.
func (h Health) Empty() bool { return len(h.suspects) == 0 }

// Usable reports whether a connection should be tried at b before it is tried
// at a backend that is not usable.
func (h Health) Usable(b Backend, now time.Time) bool {
	s, ok := h.suspects[b]
	return !ok || !now.Before(s.until)
}

// Fail records that b did not answer. Failures of connections that were under
// way when b was ejected already change nothing.
func (h Health) Fail(b Backend, now time.Time) Health {
	s, ok := h.suspects[b]
	if ok && !s.trying && now.Before(s.until) {
		return h
	}
	s.failures++
	return h.with(b, suspect{failures: s.failures, until: now.Add(ejection(s.failures))})
}

// Begin records that a connection is being tried at b for at most the given
// time. Of a backend on trial that keeps the other connections away until the
// trial's end; of a trusted one it changes nothing.
func (h Health) Begin(b Backend, now time.Time, atMost time.Duration) Health {
	s, ok := h.suspects[b]
	if !ok || now.Before(s.until) {
		return h
	}
	return h.with(b, suspect{failures: s.failures, until: now.Add(atMost), trying: true})
}

// Answered records that b took a connection: it is trusted again.
func (h Health) Answered(b Backend) Health {
	if _, ok := h.suspects[b]; !ok {
		return h
	}
	next := maps.Clone(h.suspects)
	delete(next, b)
	return Health{suspects: next}
}

// Keep forgets the backends that are not in the table.
func (h Health) Keep(t *Table) Health {
	if h.Empty() {
		return h
	}
	next := map[Backend]suspect{}
	for _, f := range t.Frontends {
		for _, b := range f.Backends {
			if s, ok := h.suspects[b]; ok {
				next[b] = s
			}
		}
	}
	return Health{suspects: next}
}

func (h Health) with(b Backend, s suspect) Health {
	next := make(map[Backend]suspect, len(h.suspects)+1)
	maps.Copy(next, h.suspects)
	next[b] = s
	return Health{suspects: next}
}

func ejection(failures int) time.Duration {
	d := FirstEjection
	for range failures - 1 {
		if d *= 2; d >= MaxEjection {
			return MaxEjection
		}
	}
	return d
}
