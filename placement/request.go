package placement

import (
	"slices"
	"time"

	"github.com/musterhq/muster/cluster"
)

// Request asks for a node for one task.
type Request struct {
	Task       cluster.TaskID
	Service    cluster.ServiceID
	Generation uint64
	Since      time.Time // when the task began to wait
	// Pinned is the only node that may take the task; empty: any.
	Pinned cluster.NodeID
	// Replaces is the task that this one takes over from. It does not count
	// as one of the service's tasks on its node.
	Replaces    cluster.TaskID
	Resources   cluster.Resources
	Image       string // cluster.Image.Hash
	Devices     []cluster.DeviceRequest
	HostPorts   []cluster.Port
	Constraints []cluster.Constraint
	MaxPerNode  int                // tasks of the service on one node; 0: any number
	Preferences []string           // labels to spread over, most important first
	Placement   *cluster.Placement // the service's; nil: it says nothing
	Affinities  []Affinity         // those of the placement, as they are asked
	// Leaves is the node that the task must not be on, because the one that it
	// replaces is to leave it. Once that has stopped, the node is only the last
	// to be asked: Back.
	Leaves cluster.NodeID
	Back   bool
	// Goes is the node that is asked before all others; "": none is.
	Goes cluster.NodeID
	// Networked: the task needs an address in each of some networks.
	Networked bool
	// Invalid is why the service's spec cannot be read; it is then set aside.
	Invalid string
}

// Affinity is a constraint that a service would like its nodes to match.
type Affinity struct {
	Constraint cluster.Constraint
	Weight     int
}

// anywhere is the placement of a service that says nothing.
var anywhere = &cluster.Placement{}

func (r *Request) placement() *cluster.Placement {
	if r.Placement == nil {
		return anywhere
	}
	return r.Placement
}

// RequestOf asks for a node for the task, whose generation's template is t.
func RequestOf(task *cluster.Task, s *cluster.Service, t cluster.Template) Request {
	r := Request{
		Task: task.ID, Service: task.Service, Generation: task.Generation, Since: task.Created,
		Pinned: task.Pinned, Replaces: task.Replaces, Resources: task.Resources, HostPorts: task.HostPorts,
		Devices: t.Devices, Networked: len(t.Networks) > 0,
		Image:      t.Container.Image.Hash(),
		MaxPerNode: t.MaxPerNode, Preferences: s.Spec.Preferences, Placement: &s.Spec.Placement,
	}
	var err error
	if r.Constraints, err = cluster.ParseConstraints(t.Constraints); err != nil {
		r.Invalid = err.Error()
	}
	for _, a := range s.Spec.Placement.Affinities {
		c, err := cluster.ParseConstraint(a.Constraint)
		if err != nil {
			r.Invalid = err.Error()
		}
		r.Affinities = append(r.Affinities, Affinity{c, a.Weight})
	}
	return r
}

// alike reports whether the two differ in nothing but the task and its time.
func (r *Request) alike(o *Request) bool {
	return r.Service == o.Service && r.Generation == o.Generation && r.Pinned == o.Pinned &&
		r.Leaves == o.Leaves && r.Back == o.Back && r.Goes == o.Goes && r.Resources == o.Resources && r.MaxPerNode == o.MaxPerNode && r.Invalid == o.Invalid && r.Image == o.Image &&
		r.placement() == o.placement() && slices.Equal(r.Affinities, o.Affinities) &&
		slices.EqualFunc(r.Devices, o.Devices, sameDevices) && slices.Equal(r.HostPorts, o.HostPorts) && slices.Equal(r.Constraints, o.Constraints) &&
		slices.Equal(r.Preferences, o.Preferences)
}
