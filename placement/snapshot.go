package placement

import (
	"slices"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// Snapshot is what placement knows of the nodes. It is made once for a plan and
// never changed.
type Snapshot struct {
	nodes []node // by ID
	index map[cluster.NodeID]int
	// wanted counts each service's tasks that are wanted, by node; tasks on
	// nodes that are down do not count.
	wanted map[cluster.ServiceID]map[int]int
	// leaving says where the tasks run that pending ones replace, if they
	// count as wanted.
	leaving map[cluster.TaskID]int
}

// node is a node and what its tasks hold.
type node struct {
	*cluster.Node
	blocked  string // why it takes no new task, or ""
	capacity cluster.Resources
	free     cluster.Resources // negative where it holds more than its capacity
	load     cluster.Resources // for scores: what is held, at least nominal a task
	tasks    int
	ports    []cluster.Port
}

// nominal is what a task counts for in scores where it reserves nothing, so
// that such tasks are spread, too.
var nominal = cluster.Resources{MilliCPU: 100, Memory: 64 << 20}

func weight(r cluster.Resources) cluster.Resources {
	if r.MilliCPU == 0 {
		r.MilliCPU = nominal.MilliCPU
	}
	if r.Memory == 0 {
		r.Memory = nominal.Memory
	}
	return r
}

// FromView takes the snapshot of a view. Quarantined nodes take no new task.
func FromView(v state.View, quarantined map[cluster.NodeID]bool) Snapshot {
	s := Snapshot{
		nodes:   make([]node, 0, v.NodeCount()),
		index:   make(map[cluster.NodeID]int, v.NodeCount()),
		wanted:  map[cluster.ServiceID]map[int]int{},
		leaving: map[cluster.TaskID]int{},
	}
	for n := range v.Nodes() {
		blocked := n.Unschedulable()
		if blocked == "" && quarantined[n.ID] {
			blocked = "quarantined: flapping"
		}
		s.index[n.ID] = len(s.nodes)
		s.nodes = append(s.nodes, node{
			Node: n, blocked: blocked, capacity: n.Capacity, free: n.Capacity.Sub(v.Allocated(n.ID).Resources),
		})
	}
	for t := range v.Tasks() {
		s.add(v, t)
	}
	return s
}

func (s *Snapshot) add(v state.View, t *cluster.Task) {
	if t.Node == "" {
		if prev, ok := v.Task(t.Replaces); ok && t.Desired == cluster.Running {
			if i, ok := s.counts(prev); ok {
				s.leaving[prev.ID] = i
			}
		}
		return
	}
	if i, ok := s.index[t.Node]; ok && t.Holds() {
		n := &s.nodes[i]
		n.load = n.load.Add(weight(t.Resources))
		n.tasks++
		n.ports = append(n.ports, t.HostPorts...)
	}
	if i, ok := s.counts(t); ok {
		on := s.wanted[t.Service]
		if on == nil {
			on = map[int]int{}
			s.wanted[t.Service] = on
		}
		on[i]++
	}
}

// counts reports whether the task is one of its service's wanted tasks, and on
// which node.
func (s *Snapshot) counts(t *cluster.Task) (node int, ok bool) {
	i, ok := s.index[t.Node]
	return i, ok && t.Holds() && t.Desired == cluster.Running && s.nodes[i].Condition != cluster.Down
}

// working is a copy of the nodes that a plan may change.
func (s *Snapshot) working() []node {
	nodes := slices.Clone(s.nodes)
	for i := range nodes {
		nodes[i].ports = slices.Clip(nodes[i].ports)
	}
	return nodes
}
