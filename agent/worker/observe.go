package worker

import (
	"slices"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

// running is the observation of a container that runs.
func (p *planner) running(a *Assignment, l Local, c *runtime.Container) cluster.Observed {
	health, failure := p.health(a, l, c)
	o := cluster.Observed{
		Phase:       cluster.PhaseRunning,
		Health:      health,
		Error:       failure,
		Restarts:    l.Restarts,
		ContainerID: c.ID,
		Address:     p.in.Address,
		Ports:       slices.Clone(c.Ports),
		Started:     c.Started,
	}
	if a.Template.Container.NetworkMode == "host" {
		for _, port := range a.Template.Ports {
			o.Ports = append(o.Ports, cluster.PortBinding{Target: port.Target, Host: port.Target, Protocol: port.Protocol})
		}
	}
	switch {
	case c.Status == runtime.StatusPaused:
		o.Error = "the container is paused"
	case health == cluster.HealthStarting && !l.Felled.IsZero():
		o.Error = l.Last.Error // why the run before was ended
	}
	return o
}

// silent is the memory of a task while the engine does not answer: nothing is
// known but what the node's own checks say of a container that ran.
func (p *planner) silent(a *Assignment, l Local, c *runtime.Container) Local {
	if _, judged := p.in.Verdicts[idOf(c)]; judged && l.lastOf(c).Phase != cluster.PhaseNone && a.Task.Desired == cluster.Running {
		l.Last = p.running(a, l, c)
	}
	return l
}

func idOf(c *runtime.Container) string {
	if c == nil {
		return ""
	}
	return c.ID
}

// starting is the memory of a task whose start was just decided. A container
// that ran before is restarted, which is counted.
func (l Local) starting() Local {
	if l.Ran {
		l.Restarts++
	}
	l.Last = cluster.Observed{
		Phase:       cluster.PhaseStarting,
		Restarts:    l.Restarts,
		ExitCode:    l.Last.ExitCode,
		ContainerID: l.Last.ContainerID,
		Error:       l.Error,
		Started:     l.Last.Started,
		Finished:    l.Last.Finished,
	}
	return l
}

// pulling is the observation of a task that waits for its image. That nobody has
// the image stays so until somebody gives it.
func pulling(l Local, i Image) cluster.Observed {
	if i.Nowhere {
		return cluster.Observed{Phase: cluster.PhaseBackoff, Restarts: l.Restarts, Error: i.Error, NoImage: true}
	}
	return cluster.Observed{Phase: cluster.PhasePulling, Restarts: l.Restarts, Error: i.Error}
}

// backoff is the observation of a task that waits for its next start. c is nil
// when no container is left of it.
func backoff(l Local, c *runtime.Container) cluster.Observed {
	o := cluster.Observed{
		Phase:       cluster.PhaseBackoff,
		Restarts:    l.Restarts,
		ExitCode:    l.Last.ExitCode,
		ContainerID: l.Last.ContainerID,
		Error:       l.Error,
		Started:     l.Last.Started,
		Finished:    l.Last.Finished,
	}
	if c != nil {
		o.ExitCode, o.ContainerID, o.Started, o.Finished = c.ExitCode, c.ID, c.Started, c.Finished
	}
	return o
}

// ended is the observation of a task of which nothing runs or will run. c is
// nil when no container is left of it.
func ended(l Local, c *runtime.Container, now time.Time) cluster.Observed {
	o := cluster.Observed{
		Phase:       cluster.PhaseExited,
		Restarts:    l.Restarts,
		ExitCode:    l.Last.ExitCode,
		ContainerID: l.Last.ContainerID,
		Started:     l.Last.Started,
		Finished:    l.Last.Finished,
		Final:       l.Final,
	}
	if l.Final {
		o.Error = l.Error
	}
	switch {
	case c != nil:
		o.ExitCode, o.ContainerID, o.Started, o.Finished = c.ExitCode, c.ID, c.Started, c.Finished
	case l.Last.Phase != cluster.PhaseExited:
		o.Finished = now
	}
	return o
}
