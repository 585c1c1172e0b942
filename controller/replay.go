package controller

import (
	"fmt"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
	"github.com/musterhq/muster/cluster/usage"
	"github.com/musterhq/muster/placement"
)

// Replay makes of a recording what decisions rest on. The error is a
// *cluster.FieldError where the recording cannot be one.
func Replay(r api.Recording) (state.View, Facts, error) {
	if r.Format != api.RecordingFormat {
		return state.View{}, Facts{}, cluster.Invalid("format", fmt.Sprintf("is %d, this version of muster reads %d", r.Format, api.RecordingFormat),
			"record it again, or use the muster that did")
	}
	for i := range r.Nodes {
		if err := r.Nodes[i].Capacity.Validate(fmt.Sprintf("nodes[%d].capacity", i)); err != nil {
			return state.View{}, Facts{}, err
		}
	}
	for i := range r.Tasks {
		if err := r.Tasks[i].Resources.Validate(fmt.Sprintf("tasks[%d].resources", i)); err != nil {
			return state.View{}, Facts{}, err
		}
	}
	m := measurements{hosts: map[cluster.NodeID]api.RecordedHost{}, slots: map[usage.Slot]cluster.Resources{}}
	for _, h := range r.Hosts {
		m.hosts[h.Node] = h
	}
	for _, s := range r.Slots {
		m.slots[usage.Slot{Service: s.Service, Slot: s.Slot, Node: s.Node}] = s.Demand
	}
	images := newStock()
	for node, held := range r.Images {
		images.put(node, held)
	}
	f := Facts{Quarantine: r.Quarantine, Images: images.images}
	if len(m.hosts) > 0 {
		f.Usage = func(v state.View) map[cluster.NodeID]placement.Usage { return usageOf(&m, v, r.Made) }
	}
	return state.Restored(r.Made, r.Settings, r.Nodes, r.Services, r.Tasks).View(), f, nil
}

// measurements are those of a recording; they do not age.
type measurements struct {
	hosts map[cluster.NodeID]api.RecordedHost
	slots map[usage.Slot]cluster.Resources
}

func (m *measurements) Used(id cluster.NodeID, _ time.Time) (r cluster.Resources, at time.Time, ok bool) {
	h, ok := m.hosts[id]
	return h.Used, h.At, ok
}

func (m *measurements) Other(id cluster.NodeID, _ time.Time) (r cluster.Resources, ok bool) {
	h, ok := m.hosts[id]
	return h.Other, ok
}

func (m *measurements) Demand(s usage.Slot) cluster.Resources { return m.slots[s] }
