package placement

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/cluster"
)

// with makes a node that has so many GPUs and terminals.
func with(name string, gpus, ttys int) cluster.Node {
	n := cluster.Node{Name: name, Capacity: cluster.Resources{MilliGPU: int64(gpus) * cluster.WholeDevice}}
	for i := range gpus {
		n.Devices = append(n.Devices, cluster.HostDevice{Kind: cluster.DeviceGPU, ID: string(rune('a' + i))})
	}
	for i := range ttys {
		n.Devices = append(n.Devices, cluster.HostDevice{Kind: "tty", ID: string(rune('a' + i))})
	}
	return n
}

func asking(kind string, milli int64) func(*cluster.ServiceSpec) {
	return func(s *cluster.ServiceSpec) {
		s.Template.Devices = []cluster.DeviceRequest{{Kind: kind, Milli: milli}}
		s.Template.Reservations.MilliGPU = cluster.GPUs(s.Template.Devices)
	}
}

// devicesOf are the devices that the plan gives, in request order.
func devicesOf(p Plan) (out []string) {
	for _, c := range p.Assign {
		text := string(c.Node) + ":"
		for _, d := range c.Devices {
			text += " " + d.ID
		}
		out = append(out, text)
	}
	return out
}

func TestDevicesAreChosen(t *testing.T) {
	for name, tc := range map[string]struct {
		nodes   []cluster.Node
		kind    string
		milli   int64
		tasks   int
		want    []string
		pending string
	}{
		"whole ones":          {[]cluster.Node{with("n1", 0, 0), with("n2", 3, 0)}, "gpu", 1000, 2, []string{"n2: a", "n2: b"}, ""},
		"two each":            {[]cluster.Node{with("n1", 3, 0)}, "gpu", 2000, 2, []string{"n1: a b"}, "1 node: 1 GPU short"},
		"shares side by side": {[]cluster.Node{with("n1", 2, 0)}, "gpu", 300, 4, []string{"n1: a", "n1: a", "n1: a", "n1: b"}, ""},
		"shares in pieces":    {[]cluster.Node{with("n1", 2, 0)}, "gpu", 600, 3, []string{"n1: a", "n1: b"}, "1 node: no device of kind gpu has 0.6 of it free"},
		"another kind":        {[]cluster.Node{with("n1", 2, 2), with("n2", 0, 0)}, "tty", 1000, 3, []string{"n1: a", "n1: b"}, "2 nodes: 1 device of kind tty short"},
		"of none":             {[]cluster.Node{with("n1", 0, 0)}, "fpga", 2000, 1, nil, "1 node: 2 devices of kind fpga short"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, tc.nodes...)
			w.service(web, asking(tc.kind, tc.milli))
			for range tc.tasks {
				w.task(web)
			}
			p := w.plan()
			if d := cmp.Diff(tc.want, devicesOf(p)); d != "" {
				t.Errorf("devices (-want +got):\n%s", d)
			}
			if tc.pending != "" {
				wantReason(t, p, tc.pending)
			}
			w.apply(p)
		})
	}
}

// What tasks hold already is not given again, and comes back when they end.
func TestDevicesThatAreHeld(t *testing.T) {
	w := newWorld(t, with("n1", 2, 0))
	w.service(web, asking("gpu", 1000))
	w.task(web)
	w.apply(w.plan())
	w.task(web)
	p := w.plan()
	if d := cmp.Diff([]string{"n1: b"}, devicesOf(p)); d != "" {
		t.Errorf("devices (-want +got):\n%s", d)
	}
	w.apply(p)
	w.task(web)
	wantReason(t, w.plan(), "1 node: 1 GPU short")
}

// Every policy that improves its batch gives back the devices that it moves
// tasks from.
func TestOptimalMovesDevices(t *testing.T) {
	w := newWorld(t, with("n1", 2, 0), with("n2", 2, 0))
	w.service(web, func(s *cluster.ServiceSpec) {
		asking("gpu", 500)(s)
		s.Placement.Policy = cluster.PolicyOptimal
	})
	for range 8 {
		w.task(web)
	}
	p := w.plan()
	if len(p.Assign) != 8 {
		t.Fatalf("plan %+v", p)
	}
	w.apply(p)
}

// Tasks that need no GPU leave nodes that have some to others.
func TestGPUsAreLeftToThoseWhoNeedThem(t *testing.T) {
	w := newWorld(t, with("n1", 2, 0), with("n2", 0, 0))
	w.service(web, policed("", 500, 512*mib))
	w.task(web)
	wantNodes(t, w, "n2")
}

// What nobody reserves changes no plan, however much nodes have of it.
func TestDiskAndBandwidthThatNobodyAsks(t *testing.T) {
	plain, rich := named("n1", "n2", "n3"), named("n1", "n2", "n3")
	for i := range rich {
		rich[i].Capacity.Disk, rich[i].Capacity.Bandwidth = int64(i)*100*gib, int64(i+1)*1_000_000_000
	}
	for _, p := range policies {
		if p.name == cluster.PolicyFixed {
			continue
		}
		var plans [2]Plan
		for i, nodes := range [][]cluster.Node{plain, rich} {
			w := newWorld(t, nodes...)
			for j, id := range []cluster.ServiceID{"a/web", "b/web"} {
				w.service(id, policed(p.name, int64(300+400*j), int64(700-300*j)*mib))
				for range 5 {
					w.task(id)
				}
			}
			plans[i] = w.plan()
			for j := range plans[i].Assign {
				plans[i].Assign[j].Second = nil // a node of this world
			}
		}
		if d := cmp.Diff(plans[0], plans[1]); d != "" {
			t.Errorf("%s: (-without +with)\n%s", p.name, d)
		}
	}
}

func TestDiskAndBandwidthAreRoom(t *testing.T) {
	unknown := cluster.Node{Name: "n1"}
	small := cluster.Node{Name: "n2", Capacity: cluster.Resources{Disk: 10 * gib, Bandwidth: 1_000_000_000}}
	w := newWorld(t, unknown, small)
	w.service(web, func(s *cluster.ServiceSpec) {
		s.Template.Reservations = cluster.Resources{Disk: 6 * gib, Bandwidth: 600_000_000}
	})
	w.task(web)
	wantNodes(t, w, "n2") // n1 does not know what it has
	w.apply(w.plan())
	w.task(web)
	wantReason(t, w.plan(), "2 nodes: at least 2 GiB of disk and 200 Mbit/s short")
	w.service("o/web", nil) // and who reserves none of it goes anywhere
	w.task("o/web")
	if p := w.plan(); len(p.Assign) != 1 {
		t.Errorf("plan %+v", p)
	}
}
