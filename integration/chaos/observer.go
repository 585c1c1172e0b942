//go:build linux

package chaos

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/api/client"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/integration/fleet"
	"github.com/musterhq/muster/integration/invariants"
	"github.com/musterhq/muster/integration/lab"
)

// Bounds, from the end of a fault.
const (
	singleIn  = 10 * time.Second // nothing runs twice
	orphanIn  = 60 * time.Second // nothing runs that nobody wants
	settledIn = 3 * time.Minute  // all is as the users left it, on a machine that is busy
	lookEvery = 500 * time.Millisecond
)

// picture is what the observer sees at one time: the cluster's word, and the
// engines'.
type picture struct {
	nodes    map[string]api.Node
	services map[string]api.ServiceDetail // by stack
	tasks    []api.Task
	running  []fleet.Container
}

// observations is what the observer remembers of one time after a fault: since
// when two containers of one slot and generation run, and since when a container
// runs that nobody wants.
type observations struct {
	twice, orphans map[string]time.Time
}

// settle watches from the end of a fault until all is as desired, and notes
// what is broken on the way.
func (r *Run) settle(ctx context.Context, healed time.Time) error {
	r.seen = observations{}
	for {
		p, err := r.look(ctx)
		err = errors.Join(err, r.superviseAgents(ctx))
		var why string
		if err != nil {
			why = err.Error()
		} else {
			r.report.Checks++
			r.always(p, time.Now())
			why = r.unsettled(ctx, p)
		}
		if why == "" {
			why = r.remembered(ctx)
		}
		took := time.Since(healed)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case len(r.report.Broken) > 0:
			return errBroken
		case why == "":
			r.report.Slowest = max(r.report.Slowest, took)
			r.logf("all is as desired %.1f s after the end of the fault", took.Seconds())
			return nil
		case took > settledIn:
			r.broken("%.0f s after the end of a fault: %s", took.Seconds(), why)
			return errBroken
		}
		sleep(ctx, lookEvery)
	}
}

// remembered notes what the cluster says of every stack, among the answers that
// must fit: what was acknowledged is still there.
func (r *Run) remembered(ctx context.Context) string {
	for n := range stacks {
		if err := r.observer().look(ctx, r.Fleet.Any(), n); err != nil {
			return err.Error()
		}
	}
	return ""
}

// look asks everybody.
func (r *Run) look(ctx context.Context) (p picture, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if p.running, err = fleet.Containers(ctx, "", r.Fleet.Hosts...); err != nil {
		return p, err
	}
	any := r.Fleet.Any()
	if p.nodes, err = fleet.Nodes(ctx, any); err != nil {
		return p, err
	}
	p.services = map[string]api.ServiceDetail{}
	err = r.call(ctx, any, func(ctx context.Context, c *client.Client) error {
		for i := range stacks {
			s, err := c.Service(ctx, stackName(i), "web")
			if client.Code(err) == api.CodeNotFound {
				continue
			}
			if err != nil {
				return err
			}
			p.services[stackName(i)] = s
		}
		p.tasks, err = c.Tasks(ctx, client.TaskQuery{})
		if err == nil && c.Stale() {
			err = fmt.Errorf("%s reaches no leader", any.Name)
		}
		return err
	})
	return p, err
}

// always checks what must hold of any picture: no node holds more than it has,
// no port is held twice, and no container runs twice or unwanted for long after
// a fault.
func (r *Run) always(p picture, now time.Time) {
	facts := p.facts()
	for n := range facts.Nodes() {
		for _, v := range invariants.NodeSafety(facts, n.ID) {
			r.broken("%v", v)
		}
	}
	for _, h := range r.Fleet.Hosts {
		for _, v := range invariants.HostSafety(p.host(h)) {
			r.broken("%v", v)
		}
	}
	r.seen.twice = r.lasting(r.seen.twice, p.twice(), now, singleIn)
	r.seen.orphans = r.lasting(r.seen.orphans, p.orphans(), now, orphanIn)
}

// lasting follows since when things that should pass are seen, and breaks the
// run when one does not.
func (r *Run) lasting(before map[string]time.Time, seen []string, now time.Time, limit time.Duration) map[string]time.Time {
	since := map[string]time.Time{}
	for _, what := range seen {
		since[what] = now
		if first, known := before[what]; known {
			since[what] = first
		}
		if lasts := now.Sub(since[what]); lasts > limit {
			r.broken("after the end of a fault, for %.0f s: %s", lasts.Seconds(), what)
		}
	}
	return since
}

// twice are the slots for which two containers of one generation run. (Those of
// two generations are an update.)
func (p picture) twice() (out []string) {
	slots := map[string]string{}
	for _, c := range p.running {
		key := fmt.Sprintf("slot %s of %s/%s in generation %s", c.Slot(), c.Labels["muster.stack"], c.Labels["muster.service"], c.Labels["muster.generation"])
		if other, again := slots[key]; again {
			out = append(out, fmt.Sprintf("%s runs on %s and on %s", key, other, c.Host.Name))
		}
		slots[key] = c.Host.Name
	}
	return out
}

// orphans are the running containers of tasks that are not wanted where they are.
func (p picture) orphans() (out []string) {
	wanted := map[string]string{}
	for _, t := range p.tasks {
		if t.Desired == string(cluster.Running) {
			wanted[t.ID] = t.Node
		}
	}
	for _, c := range p.running {
		if wanted[c.Labels["muster.task"]] != c.Host.Name {
			out = append(out, fmt.Sprintf("container %s runs on %s, and no task of its is wanted there", c.Name, c.Host.Name))
		}
	}
	return out
}

// facts are the cluster's word in the words of the invariants.
func (p picture) facts() *invariants.Facts {
	var nodes []*cluster.Node
	var services []*cluster.Service
	var tasks []*cluster.Task
	for _, n := range p.nodes {
		nodes = append(nodes, &cluster.Node{
			ID: cluster.NodeID(n.ID), Name: n.Name,
			Capacity: cluster.Resources{MilliCPU: int64(n.CPUs * 1000), Memory: n.Memory},
		})
	}
	for _, s := range p.services {
		services = append(services, &cluster.Service{ID: cluster.ServiceID(s.Service.Service), Spec: s.Spec, Generation: s.Generation})
	}
	for _, t := range p.tasks {
		task := &cluster.Task{
			ID: cluster.TaskID(t.ID), Service: cluster.ServiceID(t.Service), Slot: t.Slot, Generation: t.Generation,
			Node: cluster.NodeID(t.NodeID), Desired: cluster.Desired(t.Desired),
		}
		for _, s := range services {
			if s.ID == task.Service {
				task.Resources, task.HostPorts = s.Spec.Template.Reservations, s.Spec.Template.HostPorts()
			}
		}
		tasks = append(tasks, task)
	}
	return invariants.NewFacts(nodes, services, tasks)
}

// host is what runs on a host in the words of the invariants.
func (p picture) host(h *lab.Host) invariants.Host {
	out := invariants.Host{Node: cluster.NodeID(h.Name), Connected: true}
	for _, c := range p.running {
		if c.Host != h {
			continue
		}
		held := invariants.Container{ID: c.ID, Task: cluster.TaskID(c.Labels["muster.task"])}
		for _, q := range c.Ports {
			if q.PublicPort != 0 && q.IP != "::" {
				held.Ports = append(held.Ports, cluster.Port{Published: uint16(q.PublicPort), Protocol: q.Type, HostIP: q.IP})
			}
		}
		out.Containers = append(out.Containers, held)
	}
	return out
}

// unsettled says what is not as the users left it, "" when all is.
func (r *Run) unsettled(ctx context.Context, p picture) string {
	for _, h := range r.Fleet.Hosts {
		if n := p.nodes[h.Name]; n.State != "ready" {
			return fmt.Sprintf("node %s is %q", h.Name, n.State)
		}
	}
	want := 0
	for name, s := range p.services {
		if s.Removing {
			return name + " is still being removed"
		}
		want += s.Spec.Replicas
	}
	if why := p.compare(want); why != "" {
		return why
	}
	for i := range stacks {
		for _, h := range p.serving(i, r.Fleet.Hosts) {
			if _, err := r.Fleet.Ask(ctx, h, int(port(i)), 2*time.Second); err != nil {
				return fmt.Sprintf("%s does not answer on %s: %v", stackName(i), h.Name, err)
			}
		}
	}
	return ""
}

// serving are the hosts whose port of a stack should answer.
func (p picture) serving(n int, hosts []*lab.Host) (out []*lab.Host) {
	s, ok := p.services[stackName(n)]
	switch {
	case !ok || s.Spec.Replicas == 0:
		return nil
	case !holdsPort(n):
		return hosts
	}
	for _, c := range p.running {
		if c.Labels["muster.stack"] == stackName(n) {
			out = append(out, c.Host)
		}
	}
	return out
}

// compare holds the cluster's word about its tasks against the engines'.
func (p picture) compare(want int) string {
	runs := map[string]string{}
	for _, c := range p.running {
		id := c.Labels["muster.task"]
		if other, twice := runs[id]; twice {
			return fmt.Sprintf("task %s has containers on %s and on %s", id, other, c.Host.Name)
		}
		runs[id] = c.Host.Name
	}
	for _, t := range p.tasks {
		s := p.services[stackOf(t)]
		switch {
		case t.State != "running" || t.Desired != "running":
			return fmt.Sprintf("task %s, slot %d of %s on %q, is %s, to be %s (%s %s)", t.ID, t.Slot, t.Service, t.Node, t.State, t.Desired, t.Reason, t.Error)
		case t.Generation != s.Generation || t.Slot > s.Spec.Replicas:
			return fmt.Sprintf("task %s, slot %d of %s, is of generation %d of %d", t.ID, t.Slot, t.Service, t.Generation, s.Generation)
		case runs[t.ID] != t.Node:
			return fmt.Sprintf("task %s, slot %d of %s, is said to run on %q and runs on %q", t.ID, t.Slot, t.Service, t.Node, runs[t.ID])
		}
		delete(runs, t.ID)
	}
	for id, host := range runs {
		return fmt.Sprintf("a container of task %s runs on %s and is not wanted", id, host)
	}
	if len(p.tasks) != want {
		return fmt.Sprintf("%d tasks, not %d", len(p.tasks), want)
	}
	return ""
}

func stackOf(t api.Task) string {
	stack, _, _ := strings.Cut(t.Service, "/")
	return stack
}
