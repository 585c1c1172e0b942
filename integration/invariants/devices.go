package invariants

import (
	"github.com/musterhq/muster/cluster"
)

// deviceBook adds up what tasks hold of one node's devices.
type deviceBook struct {
	node cluster.NodeID
	held map[cluster.DeviceShare]int64 // by kind and ID
}

// add checks that the task has what its template asks, and that no device is
// given away more than once.
func (b *deviceBook) add(s State, t *cluster.Task) []Violation {
	var out []Violation
	got := map[string]int64{}
	for _, d := range t.Devices {
		if b.held == nil {
			b.held = map[cluster.DeviceShare]int64{}
		}
		device := cluster.DeviceShare{Kind: d.Kind, ID: d.ID}
		got[d.Kind] += d.Milli
		if b.held[device] += d.Milli; d.Milli <= 0 || b.held[device] > cluster.WholeDevice {
			out = append(out, violation(Overcommit, "node %s: device %s of kind %s is held %d thousandths, by %s at last", b.node, d.ID, d.Kind, b.held[device], t.ID))
		}
	}
	svc, ok := s.Service(t.Service)
	if !ok {
		return out
	}
	template, kept := svc.Template(t.Generation)
	for _, r := range template.Devices {
		if kept && got[r.Kind] != r.Milli {
			out = append(out, violation(Overcommit, "task %s on node %s asks %d thousandths of kind %s and has %d", t.ID, b.node, r.Milli, r.Kind, got[r.Kind]))
		}
	}
	return out
}
