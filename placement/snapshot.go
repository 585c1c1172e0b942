package placement

import (
	"hash/fnv"
	"slices"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// Snapshot is what placement knows of the nodes. It is made once for a plan and
// never changed.
type Snapshot struct {
	// By node, and by nothing else: a scan reads them from end to end.
	nodes    []*cluster.Node
	blocked  []string // why it takes no new task, or ""
	hashes   []uint64 // of the IDs, for ties
	capacity []vector
	free     []vector // negative where it holds more than its capacity
	load     []vector // for scores: what is held, at least nominal a task
	tasks    []int32
	ports    [][]cluster.Port

	index map[cluster.NodeID]int
	// wanted counts each service's tasks that are wanted, by node; tasks on
	// nodes that are down do not count.
	wanted map[cluster.ServiceID]map[int]int
	// leaving says where the tasks run that pending ones replace, if they
	// count as wanted.
	leaving map[cluster.TaskID]int
}

// nominal is what a task counts for in scores where it reserves nothing, so
// that such tasks are spread, too.
var nominal = cluster.Resources{MilliCPU: 100, Memory: 64 << 20}

func weight(r cluster.Resources) vector {
	if r.MilliCPU == 0 {
		r.MilliCPU = nominal.MilliCPU
	}
	if r.Memory == 0 {
		r.Memory = nominal.Memory
	}
	return vectorOf(r)
}

// newSnapshot has room for n nodes.
func newSnapshot(n int) Snapshot {
	return Snapshot{
		nodes:    make([]*cluster.Node, 0, n),
		blocked:  make([]string, 0, n),
		hashes:   make([]uint64, 0, n),
		capacity: make([]vector, 0, n),
		free:     make([]vector, 0, n),
		load:     make([]vector, n),
		tasks:    make([]int32, n),
		ports:    make([][]cluster.Port, n),
		index:    make(map[cluster.NodeID]int, n),
		wanted:   map[cluster.ServiceID]map[int]int{},
		leaving:  map[cluster.TaskID]int{},
	}
}

// FromView takes the snapshot of a view. Quarantined nodes take no new task.
func FromView(v state.View, quarantined map[cluster.NodeID]bool) Snapshot {
	s := newSnapshot(v.NodeCount())
	for n := range v.Nodes() {
		blocked := n.Unschedulable()
		if blocked == "" && quarantined[n.ID] {
			blocked = "quarantined: flapping"
		}
		s.addNode(n, blocked, v.Allocated(n.ID).Resources)
	}
	for t := range v.Tasks() {
		s.add(v, t)
	}
	return s
}

func (s *Snapshot) addNode(n *cluster.Node, blocked string, held cluster.Resources) {
	s.index[n.ID] = len(s.nodes)
	s.nodes = append(s.nodes, n)
	s.blocked = append(s.blocked, blocked)
	h := fnv.New64a()
	h.Write([]byte(n.ID))
	s.hashes = append(s.hashes, h.Sum64())
	s.capacity = append(s.capacity, vectorOf(n.Capacity))
	s.free = append(s.free, vectorOf(n.Capacity.Sub(held)))
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
		held := weight(t.Resources)
		s.load[i].add(&held)
		s.tasks[i]++
		s.ports[i] = append(s.ports[i], t.HostPorts...)
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

// without is the snapshot in which some nodes take no task.
func (s *Snapshot) without(nodes []cluster.NodeID) Snapshot {
	out := *s
	out.blocked = slices.Clone(s.blocked)
	for _, id := range nodes {
		if i, ok := s.index[id]; ok {
			out.blocked[i] = "left out"
		}
	}
	return out
}
