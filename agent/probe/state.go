package probe

import (
	"time"

	"github.com/musterhq/muster/cluster"
)

// soon is the pause between checks of a container that starts: it gets traffic
// as soon as it answers.
const soon = time.Second

// state is what is known of one run of a container.
//
//	            passed                     failed Threshold times in a row
//	starting ------------> healthy ---------------------------> unhealthy
//	   |                      ^            passed                |    ^
//	   |                      +----------------------------------+    |
//	   +---- failed as often, those after the grace counted ----------+
type state struct {
	health   cluster.Health
	failures int    // in a row, those that count
	why      string // while it is unhealthy: the failure that made it so
}

// take enters the result of a check that was begun at a time since the start of
// the container; failure is "" for one that passed. Before the first that passes,
// failures within the grace do not count.
func (s state) take(p *cluster.Probe, since time.Duration, failure string) state {
	if failure == "" {
		return state{health: cluster.HealthHealthy}
	}
	if s.health == cluster.HealthStarting && since < p.Grace() {
		return s
	}
	s.failures++
	if s.failures >= p.Failures() {
		s.health = cluster.HealthUnhealthy
	}
	if s.health == cluster.HealthUnhealthy && s.why == "" {
		s.why = failure
	}
	return s
}

// pause is the time from the end of one check to the begin of the next, since
// being that of the next one at the earliest.
func (s state) pause(p *cluster.Probe, since time.Duration) time.Duration {
	if s.health == cluster.HealthStarting && since < p.Grace() {
		return min(soon, p.Every())
	}
	return p.Every()
}
