package worker

import (
	"fmt"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

// Restart policy defaults and bounds.
const (
	defaultDelay = time.Second
	maxDelay     = 60 * time.Second
	// maxTransientDelay bounds the wait after failures that are not the
	// container's own, such as a host port that is about to be freed.
	maxTransientDelay = 10 * time.Second
)

// failure is an end of a container or a failed attempt to start one.
type failure struct {
	at      time.Time
	code    int
	ran     time.Duration // 0: it never ran
	clean   bool          // it exited with code 0
	why     string
	elapsed bool // MaxAttempts and the condition count it: the container's own fault
}

// fail decides what follows a failure: another try after a growing delay, or
// the end of the task.
func (l Local) fail(p cluster.RestartPolicy, f failure) Local {
	if f.ran >= p.Forgives() {
		l.Streak, l.Attempts = 0, 0
	}
	l.Error = f.why
	if !f.elapsed {
		l.Streak++
		l.NextTry = f.at.Add(min(delay(p, l.Streak), maxTransientDelay))
		return l
	}
	switch {
	case f.clean && (p.Condition == cluster.RestartOnFailure || p.Condition == cluster.RestartNever):
		l.Final, l.Error = true, ""
		return l
	case p.Condition == cluster.RestartNever:
		l.Final = true
		return l
	}
	l.Attempts++
	if p.MaxAttempts > 0 && l.Attempts > p.MaxAttempts {
		l.Final = true
		l.Error = fmt.Sprintf("gave up after %d restarts: %s", p.MaxAttempts, f.why)
		return l
	}
	l.Streak++
	l.NextTry = f.at.Add(delay(p, l.Streak))
	return l
}

// delay doubles from the policy's first delay up to a minute.
func delay(p cluster.RestartPolicy, streak int) time.Duration {
	first := p.Delay
	if first <= 0 {
		first = defaultDelay
	}
	limit := max(first, maxDelay)
	for d := first; ; d *= 2 {
		if streak--; streak <= 0 || d >= limit {
			return min(d, limit)
		}
	}
}

// exit is the failure that a container's end is. The engine's clock is not
// trusted to be behind ours.
func exit(c *runtime.Container, now time.Time) failure {
	f := failure{at: c.Finished, code: c.ExitCode, clean: c.ExitCode == 0 && !c.OOM, why: exitText(c), elapsed: true}
	if f.at.IsZero() || f.at.After(now) {
		f.at = now
	}
	if !c.Started.IsZero() {
		f.ran = max(f.at.Sub(c.Started), 1)
	}
	return f
}

func exitText(c *runtime.Container) string {
	switch {
	case c.OOM:
		return "killed: out of memory"
	case c.Error != "":
		return c.Error
	}
	return fmt.Sprintf("exited with code %d", c.ExitCode)
}
