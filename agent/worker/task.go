package worker

import (
	"cmp"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

// recheck is when to look again at a container that the engine is removing.
const recheck = time.Second

// task plans one assigned task.
//
//	            +--------- back-off <---------+
//	            v                             | exit, vanished, failed start, unhealthy (health.go)
//	absent -> create -> running --------------+--> final (complete, given up)
//	  |  ^                 |
//	  v  | image came      | desired stopped
//	fetch                 stop -> ended
func (p *planner) task(a *Assignment) {
	l, ok := p.memory.Tasks[a.Task.ID]
	if !ok {
		l = remember(&a.Task)
	}
	l = l.learn(&a.Task.Observed)
	var c *runtime.Container
	if own := p.byTask[a.Task.ID]; len(own) > 0 {
		c = own[0]
	}
	l.Unjudged = p.unjudged(a, l, c)
	switch {
	case p.busy(taskKey(a.Task.ID)), l.Unjudged:
	case !p.in.EngineUp:
		l = p.silent(a, l, c)
	case a.Task.Desired == cluster.Stopped || l.Final:
		l = p.end(a, l, c)
	default:
		l = p.keep(a, l, c)
	}
	p.memory.Tasks[a.Task.ID] = l
}

// keep plans a task that shall run.
func (p *planner) keep(a *Assignment, l Local, c *runtime.Container) Local {
	if c == nil {
		return p.absent(a, l)
	}
	l.Container = c.ID
	switch c.Status {
	case runtime.StatusRunning, runtime.StatusPaused:
		l.Ran, l.Anew, l.Error = true, false, ""
		l.Last = p.running(a, l, c)
		return p.sick(a, l, c)
	case runtime.StatusCreated:
		return p.created(a, l, c)
	case runtime.StatusExited, runtime.StatusDead:
		return p.exited(a, l, c)
	}
	p.waits(p.in.Now.Add(recheck))
	return l
}

// absent plans a task that has no container: it never had one, or somebody
// removed it, which counts as a failure unless it was us.
func (p *planner) absent(a *Assignment, l Local) Local {
	if l.Container != "" {
		if !l.Anew {
			l = l.fail(a.Template.Restart, vanished(l, p.in.Now))
		}
		l.Container, l.Anew = "", false
		if l.Final {
			l.Last = ended(l, nil, p.in.Now)
			return l
		}
	}
	if p.memory.Images[imageOf(a)].Missing {
		return p.fetch(a, l)
	}
	if p.waits(l.NextTry) {
		l.Last = backoff(l, nil)
		return l
	}
	networks, missing := p.in.Assigned.networksOf(a)
	if missing != "" { // the next set is to bring it: no other network will do
		waiting := l
		waiting.Error = missing
		l.Last = backoff(waiting, nil)
		return l
	}
	create := p.action(Create, a, nil, cmp.Or(l.Error, "the task has no container"))
	create.Networks = networks
	p.starts = append(p.starts, create)
	return l
}

// vanished is the failure of a container that was removed behind our back.
func vanished(l Local, now time.Time) failure {
	f := failure{at: now, why: "its container was removed from outside", elapsed: true}
	if l.Last.Phase == cluster.PhaseRunning && !l.Last.Started.IsZero() {
		f.ran = now.Sub(l.Last.Started)
	}
	return f
}

// fetch plans to get the task's image, once for all tasks that want it.
func (p *planner) fetch(a *Assignment, l Local) Local {
	digest := imageOf(a)
	image := p.memory.Images[digest]
	l.Last = pulling(l, image)
	proposed := func() bool {
		for _, f := range p.fetches {
			if f.Image == digest {
				return true
			}
		}
		return false
	}
	if p.busy(imageKey(digest)) || p.waits(image.NextTry) || proposed() {
		return l
	}
	f := p.action(Fetch, a, nil, cmp.Or(image.Error, "the engine does not have the image"))
	f.Image = digest
	p.fetches = append(p.fetches, f)
	return l
}

// created plans a container that was never started, or whose start failed: the
// engine remembers the error, and a fresh one gets its ports and network anew.
func (p *planner) created(a *Assignment, l Local, c *runtime.Container) Local {
	l.Error = cmp.Or(l.Error, c.Error)
	if l.Error != "" {
		l.Last = backoff(l, c)
	}
	switch {
	case p.waits(l.NextTry):
	case l.Anew || c.Error != "":
		l.Anew = true
		p.stops = append(p.stops, p.action(Remove, a, c, "its start failed: "+cmp.Or(l.Error, "it must be made anew")))
	default:
		p.starts = append(p.starts, p.action(Start, a, c, "the container was made and not started"))
	}
	return l
}

// exited plans a container that ended: count it once, then wait and start the
// same container again.
func (p *planner) exited(a *Assignment, l Local, c *runtime.Container) Local {
	if e := exitOf(c.ID, c.Finished); l.Counted != e {
		l.Counted, l.Ran = e, true
		if l.Felled.IsZero() || !l.Felled.Equal(c.Started) { // else it was counted as unhealthy
			l = l.fail(a.Template.Restart, l.ending(a.Template.Restart, c, p.in.Now))
		}
		if l.Final {
			l.Last = ended(l, c, p.in.Now)
			return l
		}
	}
	l.Last = backoff(l, c)
	switch {
	case p.waits(l.NextTry):
	case l.Anew || c.Status == runtime.StatusDead:
		l.Anew = true
		p.stops = append(p.stops, p.action(Remove, a, c, "it cannot be started again: "+l.Error))
	default:
		p.starts = append(p.starts, p.action(Start, a, c, "it "+exitText(c)))
	}
	return l
}

// end plans a task that shall not run, or not again.
func (p *planner) end(a *Assignment, l Local, c *runtime.Container) Local {
	switch {
	case c == nil:
		l.Last = ended(l, nil, p.in.Now)
	case c.Status == runtime.StatusExited, c.Status == runtime.StatusDead:
		l.Last = ended(l, c, p.in.Now)
	case p.waits(l.NextStop):
	case p.leaves(a, &l):
	case c.Status == runtime.StatusCreated:
		p.stops = append(p.stops, p.action(Remove, a, c, "the task ended before it was started"))
	case c.Status == runtime.StatusRunning, c.Status == runtime.StatusPaused:
		stop := p.action(Stop, a, c, cmp.Or(a.Task.Reason, "the task shall not run"))
		stop.Grace = a.Template.Container.Grace()
		p.stops = append(p.stops, stop)
	default:
		p.waits(p.in.Now.Add(recheck))
	}
	return l
}

// leaves reports whether balancers may still pick the task, which was told to
// stop a moment ago: until every node whose host is not dead has said that it goes
// by a later state.
func (p *planner) leaves(a *Assignment, l *Local) bool {
	known := len(a.Template.Ports) > 0 || len(a.Task.Addresses) > 0
	if l.Last.Phase != cluster.PhaseRunning || !known || a.Task.Desired != cluster.Stopped {
		return false
	}
	if l.Leaving.IsZero() {
		l.Leaving, l.Left = p.in.Now, Position{p.in.Assigned.Epoch, p.in.Assigned.Index}
	}
	limit := p.in.Limits.LeaveBy
	switch {
	case p.in.Served == Position{}:
		limit = p.in.Limits.Leave
	case !p.in.Served.Before(l.Left):
		return false
	}
	waits := p.waits(l.Leaving.Add(limit))
	p.leaving = p.leaving || waits
	return waits
}

// action is an action about an assigned task.
func (p *planner) action(k ActionKind, a *Assignment, c *runtime.Container, reason string) Action {
	out := Action{Kind: k, Task: a.Task.ID, Reason: reason, Assignment: a}
	if c != nil {
		out.Container = c.ID
	}
	return out
}
