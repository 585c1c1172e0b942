package worker

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

// Check is a run of a container that the node itself is to check.
type Check struct {
	Container string
	Started   time.Time // of the run
	// Address is the task's own; the zero value: not known.
	Address netip.Addr
	Probe   *cluster.Probe
	// Before is what is known of the run already; HealthStarting: nothing.
	Before cluster.Health
}

// Verdict is what the checks of a run have come to.
type Verdict struct {
	Health cluster.Health
	Why    string // of an unhealthy one, for people
}

// badness orders verdicts: of two, the worse one counts.
var badness = []cluster.Health{cluster.HealthNone, cluster.HealthHealthy, cluster.HealthStarting, cluster.HealthUnhealthy}

// worse is the verdict on a container of which the engine says a and the node b.
func worse(a, b cluster.Health) cluster.Health {
	return badness[max(slices.Index(badness, a), slices.Index(badness, b), 0)]
}

// health is the verdict on a container that runs, and what the check said that
// failed. One that no check of the node has been made of yet is as it was last
// seen, or else starts.
func (p *planner) health(a *Assignment, l Local, c *runtime.Container) (h cluster.Health, failure string) {
	own, why := p.ownHealth(a, l, c)
	h = worse(c.Health, own)
	switch {
	case h != cluster.HealthUnhealthy:
		return h, ""
	case own == cluster.HealthUnhealthy:
		return h, why
	case c.Unhealthy != "":
		return h, "health check: " + c.Unhealthy
	}
	return h, ""
}

func (p *planner) ownHealth(a *Assignment, l Local, c *runtime.Container) (h cluster.Health, why string) {
	if a.Template.Container.Probe == nil {
		return cluster.HealthNone, ""
	}
	if v, ok := p.in.Verdicts[c.ID]; ok {
		return v.Health, "health check: " + v.Why
	}
	return cmp.Or(l.lastOf(c).Health, cluster.HealthStarting), l.lastOf(c).Error
}

// lastOf is the last observation of this run of the container, if it is one.
func (l Local) lastOf(c *runtime.Container) cluster.Observed {
	if l.Last.Phase == cluster.PhaseRunning && l.Last.ContainerID == c.ID && l.Last.Started.Equal(c.Started) {
		return l.Last
	}
	return cluster.Observed{}
}

func runs(c *runtime.Container) bool {
	return c != nil && (c.Status == runtime.StatusRunning || c.Status == runtime.StatusPaused)
}

// unjudged reports whether the task's container runs since before this agent and
// awaits its first check. The cluster knows more of it than we do, so that nothing
// is said of it, and nothing done with it.
func (p *planner) unjudged(a *Assignment, l Local, c *runtime.Container) bool {
	if !l.Unjudged || a.Task.Desired == cluster.Stopped || l.Final || a.Template.Container.Probe == nil || !runs(c) {
		return false
	}
	_, judged := p.in.Verdicts[c.ID]
	return !judged
}

// checks are the runs that the node itself is to check, also while the engine
// does not answer.
func (p *planner) checks() []Check {
	var out []Check
	for _, a := range p.assigned {
		own := p.byTask[a.Task.ID]
		l := p.memory.Tasks[a.Task.ID]
		f, busy := p.in.InFlight[taskKey(a.Task.ID)]
		ends := busy && (f.Kind == Stop || f.Kind == Remove)
		if a.Template.Container.Probe == nil || a.Task.Desired == cluster.Stopped || l.Final || ends || len(own) == 0 || !runs(own[0]) {
			continue
		}
		c := own[0]
		out = append(out, Check{
			Container: c.ID, Started: c.Started, Address: addressOf(a, c), Probe: a.Template.Container.Probe, Before: p.before(a, l, c),
		})
	}
	return out
}

// addressOf is where the task itself answers.
func addressOf(a *Assignment, c *runtime.Container) netip.Addr {
	switch {
	case a.Template.Container.NetworkMode == "host":
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	case !c.Address.IsValid() && len(a.Task.Addresses) > 0:
		return a.Task.Addresses[0].Address
	}
	return c.Address
}

// before is what is known of a run that is to be checked. One that an earlier agent
// watched long enough to find it unhealthy, and did not, was healthy.
func (p *planner) before(a *Assignment, l Local, c *runtime.Container) cluster.Health {
	last := l.lastOf(c).Health
	grown := p.in.Now.Sub(c.Started) >= a.Template.Container.Probe.Grace()
	if l.Unjudged && last != cluster.HealthUnhealthy && grown {
		return cluster.HealthHealthy
	}
	return cmp.Or(last, cluster.HealthStarting)
}

// sick plans a container that runs and is observed. One that is unhealthy is out of
// the balancers as soon as they hear of it; if it stays so for as long as it would
// have to wait after an exit, it is stopped, as one that failed, and started again
// at once.
func (p *planner) sick(a *Assignment, l Local, c *runtime.Container) Local {
	policy := a.Template.Restart
	if l.Last.Health != cluster.HealthUnhealthy || c.Status != runtime.StatusRunning || policy.Condition == cluster.RestartNever {
		l.Sick = time.Time{}
		if l.Last.Health != cluster.HealthStarting {
			l.Felled = time.Time{}
		}
		return l
	}
	if l.Sick.IsZero() {
		l.Sick = p.in.Now
	}
	why := cmp.Or(l.Last.Error, "it is unhealthy")
	if !l.Felled.Equal(c.Started) {
		next := l.fail(policy, failure{at: p.in.Now, ran: max(l.Sick.Sub(c.Started), 1), why: why, elapsed: true})
		if p.waits(l.Sick.Add(max(delay(policy, next.Streak), p.in.Limits.Leave))) {
			return l
		}
		l = next
		l.NextTry, l.Felled = p.in.Now, c.Started
	}
	if l.Final {
		return p.end(a, l, c)
	}
	l.Error = why
	if !p.waits(l.NextStop) {
		stop := p.action(Stop, a, c, why)
		stop.Grace = a.Template.Container.Grace()
		p.stops = append(p.stops, stop)
	}
	return l
}

// ending is the failure that the end of a task's container is. One that was
// unhealthy has not done its work, whatever it exits with.
func (l Local) ending(p cluster.RestartPolicy, c *runtime.Container, now time.Time) failure {
	f := exit(c, now)
	if l.Last.Phase == cluster.PhaseRunning && l.Last.Health == cluster.HealthUnhealthy && p.Condition == cluster.RestartOnFailure {
		f.clean = false
	}
	return f
}
