package worker

import (
	"cmp"
	"slices"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

// strays plans the containers that no assigned task accounts for and that run
// or were made to run: after a grace they are stopped and removed.
func (p *planner) strays() {
	p.forgetStrays()
	for _, c := range p.surplus() {
		switch c.Status {
		case runtime.StatusRunning, runtime.StatusPaused, runtime.StatusCreated:
		default:
			continue
		}
		from, known := p.memory.Strays[c.ID]
		if !known {
			from = p.in.Now.Add(p.in.Limits.StrayGrace)
			p.memory.Strays[c.ID] = from
		}
		if p.waits(from) || p.busy(containerKey(c.ID)) {
			continue
		}
		p.stops = append(p.stops, Action{
			Kind: Remove, Container: c.ID, Grace: cluster.DefaultStopGrace,
			Reason: "no task of this node accounts for the container",
		})
	}
}

// forgetStrays drops what is remembered of containers that are gone or that a
// task accounts for now.
func (p *planner) forgetStrays() {
	kept := map[string]time.Time{}
	for id, own := range p.byTask {
		l, assigned := p.memory.Tasks[id]
		for i, c := range own {
			if from, ok := p.memory.Strays[c.ID]; ok && (!assigned || i > 0 || over(l)) {
				kept[c.ID] = from
			}
		}
	}
	p.memory.Strays = kept
}

// surplus returns the containers that are not the one of an assigned task, in
// the order of their IDs.
func (p *planner) surplus() []*runtime.Container {
	var out []*runtime.Container
	for id, own := range p.byTask {
		switch _, assigned := p.memory.Tasks[id]; {
		case !assigned:
			out = append(out, own...)
		case !p.busy(taskKey(id)):
			out = append(out, own[1:]...)
		}
	}
	slices.SortFunc(out, func(a, b *runtime.Container) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// slot is what ended containers are kept by.
type slot struct{ stack, service, number string }

// history plans the ended containers: the last ones of a slot stay for logs,
// of tasks that are no longer assigned for a while only, and of services that
// are gone not at all.
func (p *planner) history() {
	bySlot := map[slot][]*runtime.Container{}
	for id, own := range p.byTask {
		l, assigned := p.memory.Tasks[id]
		for i, c := range own {
			if assigned && i == 0 && !over(l) {
				continue // it is started again
			}
			if c.Status == runtime.StatusExited || c.Status == runtime.StatusDead {
				s := slot{c.Labels[runtime.LabelStack], c.Labels[runtime.LabelService], c.Labels[runtime.LabelSlot]}
				bySlot[s] = append(bySlot[s], c)
			}
		}
	}
	var remove []Action
	for _, ended := range bySlot {
		slices.SortFunc(ended, func(a, b *runtime.Container) int {
			return cmp.Or(endOf(b).Compare(endOf(a)), cmp.Compare(a.ID, b.ID))
		})
		for i, c := range ended {
			if p.busy(containerKey(c.ID)) || p.waits(p.memory.Strays[c.ID]) {
				continue
			}
			if reason := p.outdated(c, i); reason != "" {
				remove = append(remove, Action{Kind: Remove, Container: c.ID, Reason: reason})
			}
		}
	}
	slices.SortFunc(remove, func(a, b Action) int { return cmp.Compare(a.Container, b.Container) })
	p.stops = append(p.stops, remove...)
}

// outdated says why the ended container, the i-th newest of its slot, is to
// go; "" when it stays.
func (p *planner) outdated(c *runtime.Container, i int) string {
	if i >= p.in.Limits.KeepEnded {
		return "newer ended containers of its slot are kept"
	}
	if _, assigned := p.memory.Tasks[cluster.TaskID(c.Labels[runtime.LabelTask])]; assigned {
		return ""
	}
	if p.serviceGone(c) {
		return "its service has left this node"
	}
	if !p.waits(endOf(c).Add(p.in.Limits.KeepFor)) {
		return "its task has long left this node"
	}
	return ""
}

// serviceGone reports whether the container's service is known to be gone.
func (p *planner) serviceGone(c *runtime.Container) bool {
	services := p.in.Assigned.Services
	return services != nil && !slices.Contains(services, cluster.NewServiceID(c.Labels[runtime.LabelStack], c.Labels[runtime.LabelService]))
}

// over reports whether the task's container will not be started again.
func over(l Local) bool { return l.Last.Phase == cluster.PhaseExited }

func endOf(c *runtime.Container) time.Time {
	if c.Finished.IsZero() {
		return c.Created
	}
	return c.Finished
}
