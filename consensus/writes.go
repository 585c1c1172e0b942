package consensus

import (
	"math"
	"slices"
	"sync"
	"time"
)

// What counts as lately, and how much must have been written to tell.
const (
	writesKept   = 64
	writesWithin = 30 * time.Second
	writesNeeded = 8
)

// writes remembers how long appending to the log took lately.
type writes struct {
	mu   sync.Mutex
	last [writesKept]write // a ring
	next int
}

type write struct {
	at   time.Time // when it was over
	took time.Duration
}

func (w *writes) note(at time.Time, took time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last[w.next%writesKept] = write{at, took}
	w.next++
}

// since is how long ago the last write was over, for ever where there was none.
func (w *writes) since(now time.Time) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.next == 0 {
		return math.MaxInt64
	}
	return now.Sub(w.last[(w.next-1)%writesKept].at)
}

// median is 0 when too little was written lately.
func (w *writes) median(now time.Time) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	var lately []time.Duration
	for _, one := range w.last[:min(w.next, writesKept)] {
		if now.Sub(one.at) <= writesWithin {
			lately = append(lately, one.took)
		}
	}
	if len(lately) < writesNeeded {
		return 0
	}
	slices.Sort(lately)
	return lately[len(lately)/2]
}

// WriteTime is the median of what appending to this node's log took in the last
// half minute: two fsyncs in series. It is 0 when too little was written to tell.
func (s *Store) WriteTime() time.Duration { return s.entries.writes.median(time.Now()) }
