package sim

import (
	"slices"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
	"github.com/musterhq/muster/controller"
)

// Plant is a bug put into the leader's decisions, to see that it is caught.
type Plant string

// Bugs to plant.
const (
	// NoCapacity records tasks as needing nothing, so that nodes never fill.
	NoCapacity Plant = "no-capacity"
	// NoRefill leaves the slots of lost nodes empty.
	NoRefill Plant = "no-refill"
	// StopEarly stops a task as soon as its successor is created.
	StopEarly Plant = "stop-early"
	// FalseVerdict takes hosts for dead whose agents are silent.
	FalseVerdict Plant = "false-verdict"
)

// Plants are all of them.
var Plants = []Plant{NoCapacity, NoRefill, StopEarly, FalseVerdict}

// decide spoils a decision.
func (p Plant) decide(v state.View, d controller.Decision) controller.Decision {
	switch p {
	case NoCapacity:
		for i := range d.Create {
			d.Create[i].Resources = cluster.Resources{}
		}
	case NoRefill:
		down := func(id cluster.NodeID) bool {
			return v.Condition(id) == cluster.Down ||
				slices.ContainsFunc(d.Conditions, func(c state.NodeCondition) bool { return c.Node == id && c.Condition == cluster.Down })
		}
		d.Create = slices.DeleteFunc(d.Create, func(t cluster.Task) bool {
			old, ok := v.Task(t.Replaces)
			return ok && down(old.Node)
		})
	case FalseVerdict:
		for i := range d.Conditions {
			if d.Conditions[i].Condition == cluster.Away {
				d.Conditions[i].Condition = cluster.Down
			}
		}
	case StopEarly:
		for _, t := range d.Create {
			if old, ok := v.Task(t.Replaces); ok && old.Desired == cluster.Running && !old.Ended() {
				d.Stop = append(d.Stop, state.StopTask{Task: old.ID, Reason: "replaced"})
			}
		}
	}
	return d
}
