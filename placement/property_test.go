package placement

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// randomWorld has nodes of all kinds, some tasks that are placed and some that
// wait.
func randomWorld(rt *rapid.T) *world {
	draw := func(n int) int { return rapid.IntRange(0, n-1).Draw(rt, "choice") }
	nodes := make([]cluster.Node, 1+draw(8))
	for i := range nodes {
		nodes[i] = cluster.Node{
			Name:     fmt.Sprintf("n%d", i+1),
			Labels:   map[string]string{"zone": string(rune('a' + draw(3)))},
			Capacity: cluster.Resources{MilliCPU: int64(1+draw(4)) * 1000, Memory: int64(1+draw(4)) * gib},
		}
		if draw(4) == 0 {
			nodes[i].Labels[cluster.PartitionLabel] = "p"
		}
		nodes[i].Capacity.Disk, nodes[i].Capacity.Bandwidth = int64(draw(3))*gib, int64(draw(3))*1_000_000_000
		for d := range draw(4) {
			nodes[i].Devices = append(nodes[i].Devices, cluster.HostDevice{Kind: cluster.DeviceGPU, ID: fmt.Sprintf("g%d", d)})
			nodes[i].Capacity.MilliGPU += cluster.WholeDevice
		}
		if draw(3) == 0 {
			nodes[i].Devices = append(nodes[i].Devices, cluster.HostDevice{Kind: "tty", ID: "t0"})
		}
		if draw(4) == 0 {
			nodes[i].Labels[cluster.TaintPrefix+"t"] = ""
		}
	}
	w := newWorld(rt, nodes...)
	for s := range 1 + draw(3) {
		id := cluster.ServiceID(fmt.Sprintf("s%d/web", s))
		w.service(id, func(spec *cluster.ServiceSpec) {
			t := &spec.Template
			t.Reservations = cluster.Resources{MilliCPU: int64(draw(5)) * 250, Memory: int64(draw(5)) * 256 * mib}
			if draw(3) == 0 {
				t.Reservations.Disk, t.Reservations.Bandwidth = int64(draw(3))*512*mib, int64(draw(3))*300_000_000
			}
			if draw(3) == 0 {
				t.Reservations.MilliGPU = []int64{300, 400, 700, 1000, 2000}[draw(5)]
				t.Devices = append(t.Devices, cluster.DeviceRequest{Kind: cluster.DeviceGPU, Milli: t.Reservations.MilliGPU})
			}
			if draw(6) == 0 {
				t.Devices = append(t.Devices, cluster.DeviceRequest{Kind: "tty", Milli: 1000})
			}
			t.MaxPerNode = draw(3)
			spec.Placement.Policy = policies[draw(len(policies))].name
			if spec.Placement.Policy == cluster.PolicyFixed {
				spec.Placement.Partition = "p"
			}
			if draw(3) == 0 {
				spec.Placement.Tolerations = []string{"t"}
			}
			if draw(4) == 0 {
				spec.Placement.ApartFrom = []string{fmt.Sprintf("s%d/web", (s+1)%3)}
			}
			if draw(3) == 0 {
				spec.Placement.Affinities = []cluster.Affinity{{Constraint: "node.labels.zone in a,b", Weight: 1 + draw(100)}}
			}
			if draw(3) == 0 {
				t.Ports = []cluster.Port{{Target: 80, Published: uint16(80 + draw(2)), Protocol: "tcp", Mode: cluster.HostPort}}
			}
			if draw(3) == 0 {
				t.Constraints = []string{"node.labels.zone" + []string{"==", "!="}[draw(2)] + "a"}
			}
			if draw(2) == 0 {
				spec.Preferences = []string{"node.labels.zone"}
			}
		})
		for range draw(6) {
			w.task(id)
		}
		w.apply(w.plan())
		for t := range w.st.View().TasksOf(id) {
			if draw(2) == 0 && t.Node != "" {
				w.task(id, w.replacing(t.ID))
			}
		}
		for range draw(3) {
			w.task(id, pinned(nodes[draw(len(nodes))].Name))
		}
	}
	for _, n := range nodes {
		switch draw(8) {
		case 0:
			w.do(state.SetAvailability{Node: cluster.NodeID(n.Name), Availability: cluster.Cordoned})
		case 1:
			w.do(state.Reconcile{Conditions: []state.NodeCondition{{Node: cluster.NodeID(n.Name), Condition: cluster.Down}}})
		}
	}
	return w
}

// allowed is what must hold for a task on a node, said a second time and
// plainly. v already holds the plan's other tasks; those that are leaving do
// not count against the service's number of tasks on the node.
func allowed(v state.View, t *cluster.Task, n *cluster.Node, leaving map[cluster.TaskID]bool) bool {
	s, _ := v.Service(t.Service)
	tpl := s.Spec.Template
	cs, _ := cluster.ParseConstraints(tpl.Constraints)
	for _, c := range cs {
		if !c.Matches(n) {
			return false
		}
	}
	same := 0
	for o := range v.TasksOn(n.ID) {
		if o.ID == t.ID || !o.Holds() {
			continue
		}
		if strangers(v, s, o.Service) && o.Desired == cluster.Running && n.Condition != cluster.Down {
			return false
		}
		if o.Service == t.Service && o.ID != t.Replaces && !leaving[o.ID] && o.Desired == cluster.Running && n.Condition != cluster.Down {
			same++
		}
		for _, p := range o.HostPorts {
			for _, q := range t.HostPorts {
				if p.Published == q.Published {
					return false
				}
			}
		}
	}
	if t.Node == "" && !roomOnDevices(v, n, tpl.Devices) {
		return false
	}
	held := v.Allocated(n.ID).Resources
	if t.Node == n.ID {
		held = held.Sub(t.Resources)
	}
	_, tainted := n.Labels[cluster.TaintPrefix+"t"]
	if tainted && len(s.Spec.Placement.Tolerations) == 0 {
		return false
	}
	return n.Unschedulable() == "" && n.Labels[cluster.PartitionLabel] == s.Spec.Placement.Partition && (t.Pinned == "" || t.Pinned == n.ID) &&
		t.Resources.Fits(n.Capacity.Sub(held)) && (tpl.MaxPerNode == 0 || same < tpl.MaxPerNode)
}

// roomOnDevices reports whether the node's devices hold what is asked of each
// kind: a share on one of them, or so many that nobody uses.
func roomOnDevices(v state.View, n *cluster.Node, asked []cluster.DeviceRequest) bool {
	used := map[string]int64{}
	for t := range v.TasksOn(n.ID) {
		for _, d := range t.Devices {
			if t.Holds() {
				used[d.Kind+d.ID] += d.Milli
			}
		}
	}
	for _, r := range asked {
		room := int64(0)
		for _, d := range n.Devices {
			if d.Kind == r.Kind && used[d.Kind+d.ID]+min(r.Milli, cluster.WholeDevice) <= cluster.WholeDevice {
				room += cluster.WholeDevice
			}
		}
		if room < r.Milli {
			return false
		}
	}
	return true
}

// strangers reports whether one of the two services is to be apart from the
// other.
func strangers(v state.View, s *cluster.Service, other cluster.ServiceID) bool {
	o, _ := v.Service(other)
	return slices.Contains(s.Spec.Placement.ApartFrom, string(other)) || slices.Contains(o.Spec.Placement.ApartFrom, string(s.ID))
}

// replaced are the tasks whose successors have a node.
func replaced(v state.View) map[cluster.TaskID]bool {
	out := map[cluster.TaskID]bool{}
	for t := range v.Tasks() {
		if t.Node != "" {
			out[t.Replaces] = true
		}
	}
	return out
}

func TestPlansHold(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := randomWorld(rt)
		before := w.requests()
		p := w.plan()
		if len(p.Assign)+len(p.Pending) != len(before) || len(p.SetAside) > 0 {
			rt.Fatalf("%d requests, plan %+v", len(before), p)
		}
		w.apply(p) // refuses what exceeds a capacity or clashes
		v := w.st.View()
		for _, c := range p.Assign {
			task, _ := v.Task(c.Task)
			n, _ := v.Node(c.Node)
			if !allowed(v, task, n, replaced(v)) {
				rt.Fatalf("%s may not be on %s", c.Task, c.Node)
			}
		}
		for _, r := range p.Pending {
			task, _ := v.Task(r.Task)
			for n := range v.Nodes() {
				if allowed(v, task, n, nil) {
					rt.Fatalf("%s is pending (%s), but may be on %s", r.Task, r.Reason, n.Name)
				}
			}
			if r.Reason == "" {
				rt.Fatalf("%s is pending without a reason", r.Task)
			}
		}
	})
}

func TestEqualInputEqualPlanInAnyNodeOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := randomWorld(rt)
		want := w.plan()
		if d := cmp.Diff(want, w.plan()); d != "" {
			rt.Fatalf("two plans of one state differ:\n%s", d)
		}
		snap := shuffled(rt, FromView(w.st.View(), nil))
		if d := cmp.Diff(want, Place(snap, w.requests(), 1)); d != "" {
			rt.Fatalf("the plan depends on the order of the nodes:\n%s", d)
		}
	})
}

// shuffled is the snapshot with its nodes in another order.
func shuffled(rt *rapid.T, s Snapshot) Snapshot {
	order := rapid.Permutation(s.order()).Draw(rt, "order") // new place -> old
	place := make([]int, len(order))
	out := newSnapshot(len(order))
	out.apart, out.mix, out.lasting, out.nominal = s.apart, s.mix, s.lasting, s.nominal
	for to, from := range order {
		place[from] = to
		out.addNode(s.nodes[from], s.blocked[from], cluster.Resources{})
		out.free[to], out.load[to] = s.free[from], s.load[from]
		out.tasks[to], out.ports[to] = s.tasks[from], s.ports[from]
		out.more = out.more || s.more
		if used, ok := s.devices[from]; ok {
			out.devices[to] = used
		}
	}
	for to, counts := range map[*map[cluster.ServiceID]map[int]int]map[cluster.ServiceID]map[int]int{&out.wanted: s.wanted, &out.absent: s.absent} {
		for id, on := range counts {
			(*to)[id] = map[int]int{}
			for from, n := range on {
				(*to)[id][place[from]] = n
			}
		}
	}
	for id, from := range s.leaving {
		out.leaving[id] = place[from]
	}
	for id, from := range s.absentLeaving {
		out.absentLeaving[id] = place[from]
	}
	return out
}

func (s *Snapshot) order() []int {
	out := make([]int, len(s.nodes))
	for i := range out {
		out[i] = i
	}
	return slices.Clip(out)
}

// TestGroupsAreDecidedAsSingleTasksAre compares the order that a group keeps
// with a look at every candidate: requests of many generations make no group.
func TestGroupsAreDecidedAsSingleTasksAre(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := randomWorld(rt)
		single := w.requests()
		for i := range single {
			single[i].Generation = uint64(1000 + i)
		}
		if d := cmp.Diff(Place(FromView(w.st.View(), nil), single, 1), w.plan()); d != "" {
			rt.Fatalf("a group's plan differs from that of its tasks (-single +group):\n%s", d)
		}
	})
}
