package state

import (
	"testing"

	"github.com/musterhq/muster/cluster"
)

// A device is checked again where it is given: who was told another state of it
// is refused.
func TestDevicesAreGivenOnce(t *testing.T) {
	w := newWorld(t, "n1")
	w.must(UpdateNode{ID: "n1", Devices: []cluster.HostDevice{{Kind: "gpu", ID: "a"}, {Kind: "gpu", ID: "b"}}, Capacity: cluster.Resources{MilliGPU: 2000}})
	asks := spec("web:1", 3)
	asks.Template.Devices, asks.Template.Reservations.MilliGPU = []cluster.DeviceRequest{{Kind: "gpu", Milli: 1000}}, 1000
	w.must(PutStack{Stack: "s", Services: []NamedSpec{{"web", asks}}})
	place := func(id string, slot int, node string, devices ...cluster.DeviceShare) (refusal string) {
		made := task(id, slot, node, 0)
		made.Resources.MilliGPU, made.Devices = 1000, devices
		r := w.must(Reconcile{Create: []cluster.Task{made}})
		if len(r.Refused) > 0 {
			return r.Refused[0].Reason
		}
		return ""
	}
	a := cluster.DeviceShare{Kind: "gpu", ID: "a", Milli: 1000}
	if why := place("1", 1, "n1", a); why != "" {
		t.Fatal(why)
	}
	if why := place("2", 2, "n1", a); why != "n1: device a of kind gpu has no 1 of it free" {
		t.Errorf("refused: %q", why)
	}
	if tk, _ := w.View().Task("2"); tk.Node != "" || tk.Devices != nil {
		t.Errorf("the refused task is %+v", tk)
	}
	assign := func(devices ...cluster.DeviceShare) int {
		return len(w.must(Reconcile{Assign: []Assign{{Task: "2", Generation: 1, Node: "n1", Devices: devices}}}).Refused)
	}
	if assign() != 1 || assign(a) != 1 {
		t.Error("a task was placed without what it asks")
	}
	b := cluster.DeviceShare{Kind: "gpu", ID: "b", Milli: 1000}
	if r := w.must(Reconcile{Assign: []Assign{{Task: "2", Generation: 1, Node: "n1", Devices: []cluster.DeviceShare{b}}}}).Refused; len(r) != 0 {
		t.Errorf("a free device was refused: %v", r)
	}
	if tk, _ := w.View().Task("2"); tk.Node != "n1" || len(tk.Devices) != 1 || tk.Devices[0] != b {
		t.Errorf("the task is %+v", tk)
	}
	if n := w.View().Allocated("n1"); n.Resources.MilliGPU != 2000 {
		t.Errorf("n1 holds %+v", n)
	}
}
