package controller

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// leftOut stands for a text that is not recorded, where it matters whether there
// is one.
const leftOut = "left out"

// Record writes down what decisions on a view rest on, with what this node
// measured if it leads. Only what is known to be no secret is copied; a nil
// Controller knows of no measurement.
func (c *Controller) Record(v state.View) api.Recording {
	out := api.Recording{
		Format: api.RecordingFormat, Made: v.Now(), Settings: v.Settings(),
		Nodes: []cluster.Node{}, Services: []cluster.Service{}, Tasks: []cluster.Task{},
	}
	for n := range v.Nodes() {
		out.Nodes = append(out.Nodes, bareNode(n))
	}
	for s := range v.Services() {
		out.Services = append(out.Services, bareService(s))
	}
	for t := range v.Tasks() {
		out.Tasks = append(out.Tasks, bareTask(t))
	}
	if c == nil {
		return out
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.book == nil {
		return out
	}
	out.Quarantine, out.Images = maps.Clone(c.held), c.stock.of(kept(v))
	now := time.Now()
	for n := range v.Nodes() {
		if used, at, ok := c.book.Used(n.ID, now); ok {
			other, _ := c.book.Other(n.ID, now)
			out.Hosts = append(out.Hosts, api.RecordedHost{Node: n.ID, At: at, Used: used, Other: other})
		}
	}
	for _, t := range seats(v) {
		slot := slotOf(t)
		if demand := c.book.Demand(slot); demand != (cluster.Resources{}) {
			out.Slots = append(out.Slots, api.RecordedSlot{Service: slot.Service, Slot: slot.Slot, Node: slot.Node, Demand: demand})
		}
	}
	slices.SortFunc(out.Slots, func(a, b api.RecordedSlot) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Slot, b.Slot), cmp.Compare(a.Node, b.Node))
	})
	return out
}

func bareNode(n *cluster.Node) cluster.Node {
	return cluster.Node{
		ID: n.ID, Name: n.Name, Labels: n.Labels, EngineLabels: n.EngineLabels, OS: n.OS, Arch: n.Arch,
		EngineVersion: n.EngineVersion, Version: n.Version, Commands: n.Commands, Capacity: n.Capacity,
		Availability: n.Availability, Condition: n.Condition, ConditionSince: n.ConditionSince,
		EngineError: orLeftOut(n.EngineError), Voter: n.Voter, Joined: n.Joined, Devices: n.Devices,
	}
}

func bareService(s *cluster.Service) cluster.Service {
	out := cluster.Service{
		ID: s.ID, Generation: s.Generation, Spec: Bare(s.Spec), Removing: s.Removing, Created: s.Created, Updated: s.Updated,
		SetAside: orLeftOut(s.SetAside), Release: bareRelease(s.Release),
	}
	for _, g := range s.History {
		out.History = append(out.History, cluster.Generation{
			Number: g.Number, Template: bareTemplate(&g.Template), Created: g.Created, Release: bareRelease(g.Release),
		})
	}
	if r := s.Returned; r != nil {
		out.Returned = &cluster.Return{From: r.From, At: r.At, Reason: orLeftOut(r.Reason), Outcome: r.Outcome}
	}
	return out
}

// Bare is a spec as it is recorded.
func Bare(s cluster.ServiceSpec) cluster.ServiceSpec {
	s.Template = bareTemplate(&s.Template)
	return s
}

func bareTemplate(t *cluster.Template) cluster.Template {
	return cluster.Template{
		Container:    cluster.ContainerSpec{Image: t.Container.Image, StopGrace: t.Container.StopGrace},
		Reservations: t.Reservations, Limits: t.Limits, PidsLimit: t.PidsLimit, Restart: t.Restart,
		Constraints: t.Constraints, MaxPerNode: t.MaxPerNode, Ports: t.Ports, Force: t.Force, Devices: t.Devices,
	}
}

func bareRelease(r cluster.Release) cluster.Release {
	return cluster.Release{Outcome: r.Outcome, Reason: orLeftOut(r.Reason), Canary: r.Canary}
}

func bareTask(t *cluster.Task) cluster.Task {
	out := *t
	out.Why, out.Addresses = "", nil
	out.Leave.Reason = orLeftOut(t.Leave.Reason)
	if t.Node != "" || t.Desired != cluster.Running {
		out.Reason = orLeftOut(t.Reason) // it may quote what a container said
	}
	seen := &t.Observed
	out.Observed = cluster.Observed{
		Phase: seen.Phase, Health: seen.Health, Restarts: seen.Restarts, ExitCode: seen.ExitCode, Error: orLeftOut(seen.Error),
		Final: seen.Final, Started: seen.Started, Finished: seen.Finished,
	}
	return out
}

func orLeftOut(s string) string {
	if s == "" {
		return ""
	}
	return leftOut
}
