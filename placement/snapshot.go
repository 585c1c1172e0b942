package placement

import (
	"hash/fnv"
	"math"
	"slices"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
	"github.com/musterhq/muster/placement/packing"
)

// Snapshot is what placement knows of the nodes. It is made once for a plan and
// never changed.
type Snapshot struct {
	// By node, and by nothing else: a scan reads them from end to end.
	nodes    []*cluster.Node
	blocked  []string        // why it takes no new task, or ""
	hashes   []uint64        // of the IDs, for ties
	per      [][dims]float64 // the inverse of the capacity: products are faster
	free     []vector        // negative where it holds more than its capacity
	load     []vector        // for scores: what is held, at least nominal a task
	used     []vector        // measured; only of nodes that are
	measured []bool
	inUse    []int64 // memory that is free by what tasks hold, and used
	slack    []int64 // thousandths of a core until the CPU is crowded
	tasks    []int32
	ports    [][]cluster.Port
	// devices is how much of each of its devices is held, of nodes where some is.
	devices map[int][]int64
	// more: something beyond CPU and memory is held, or GPUs are there.
	more bool
	// nominal: some task counts for more than it reserves.
	nominal bool
	// mix is what tasks that hold room ask for, and lasting the share of the newest
	// ones that stay.
	mix     packing.Mix
	lasting float64

	view   state.View     // whom evictions look for
	lowest int            // priority of all services
	policy cluster.Policy // of services that name none
	index  map[cluster.NodeID]int
	held   map[cluster.NodeID]bool // in quarantine
	// wanted counts each service's tasks that are wanted, by node; tasks on
	// nodes that are down do not count.
	wanted map[cluster.ServiceID]map[int]int
	// leaving says where the tasks run that pending ones replace, if they
	// count as wanted.
	leaving map[cluster.TaskID]int
	// absent and absentLeaving are the same of nodes that are down: it counts
	// once they are back.
	absent        map[cluster.ServiceID]map[int]int
	absentLeaving map[cluster.TaskID]int
	// reserved are the nodes that labels may keep a service off which says
	// nothing of them.
	reserved []int
	// apart are the services that each shares no node with, in order.
	apart map[cluster.ServiceID][]cluster.ServiceID
	// failing counts how often each service failed lately, by node, where that
	// was often.
	failing map[cluster.ServiceID]map[int]int
	images  map[string]shelf // by hash; of those that some node has
}

// nominal is what a task counts for in scores where it reserves nothing, so
// that such tasks are spread, too.
var nominal = vector{dimCPU: 100, dimMemory: 64 << 20}

func weight(v vector) vector {
	for d := range v {
		if v[d] == 0 {
			v[d] = nominal[d]
		}
	}
	return v
}

// newSnapshot has room for n nodes.
func newSnapshot(n int) Snapshot {
	return Snapshot{
		lowest:   cluster.MaxPriority + 1,
		lasting:  1,
		nodes:    make([]*cluster.Node, 0, n),
		blocked:  make([]string, 0, n),
		hashes:   make([]uint64, 0, n),
		per:      make([][dims]float64, 0, n),
		free:     make([]vector, 0, n),
		load:     make([]vector, n),
		used:     make([]vector, n),
		measured: make([]bool, n),
		inUse:    make([]int64, n),
		slack:    make([]int64, n),
		tasks:    make([]int32, n),
		ports:    make([][]cluster.Port, n),
		index:    make(map[cluster.NodeID]int, n),
		wanted:   map[cluster.ServiceID]map[int]int{},
		leaving:  map[cluster.TaskID]int{},
		devices:  map[int][]int64{},
		apart:    map[cluster.ServiceID][]cluster.ServiceID{},

		absent: map[cluster.ServiceID]map[int]int{}, absentLeaving: map[cluster.TaskID]int{},
	}
}

// held is what stands in the way of tasks on a node in quarantine.
const held = "quarantined: flapping"

// FromView takes the snapshot of a view. Quarantined nodes take no new task.
func FromView(v state.View, quarantined map[cluster.NodeID]bool) Snapshot {
	s := newSnapshot(v.NodeCount())
	s.view, s.policy = v, v.Settings().Policy
	s.held, s.lasting = quarantined, lasting(v)
	for n := range v.Nodes() {
		blocked := n.Unschedulable()
		if blocked == "" && quarantined[n.ID] {
			blocked = held
		}
		s.addNode(n, blocked, v.Allocated(n.ID).Resources)
	}
	for t := range v.Tasks() {
		s.add(v, t)
	}
	for service := range v.Services() {
		s.keepApart(service)
		s.lowest = min(s.lowest, service.Spec.Placement.Rank())
	}
	return s
}

// newest is of how many slots, those with the newest tasks, the share that stay is
// taken.
const newest = 2000

// lasting is the share of slots with new tasks that still want room: 1 where none
// ends, 0 where none that began lately is left. An ended task counts for as long as
// the state knows it.
func lasting(v state.View) float64 {
	type slot struct {
		service cluster.ServiceID
		slot    int
		node    cluster.NodeID
	}
	seen, ended := make(map[slot]bool, min(newest, v.TaskCount())), 0
	for t := range v.NewestTasks() {
		at := slot{t.Service, t.Slot, t.Pinned}
		if seen[at] {
			continue
		}
		if len(seen) == newest {
			break
		}
		seen[at] = true
		if t.Desired != cluster.Running || t.Ended() {
			ended++
		}
	}
	return 1 - float64(ended)/float64(max(len(seen), 1))
}

func (s *Snapshot) addNode(n *cluster.Node, blocked string, held cluster.Resources) {
	if n.Labels[cluster.PartitionLabel] != "" || len(n.Taints()) > 0 {
		s.reserved = append(s.reserved, len(s.nodes))
	}
	s.index[n.ID] = len(s.nodes)
	s.nodes = append(s.nodes, n)
	s.blocked = append(s.blocked, blocked)
	h := fnv.New64a()
	h.Write([]byte(n.ID))
	s.hashes = append(s.hashes, h.Sum64())
	s.per = append(s.per, inverse(vectorOf(n.Capacity)))
	s.free = append(s.free, vectorOf(n.Capacity.Sub(held)))
	s.slack[len(s.nodes)-1] = math.MaxInt64
	s.more = s.more || n.Capacity.MilliGPU > 0
}

// keepApart notes whom the service is to be apart from, for both sides.
func (s *Snapshot) keepApart(service *cluster.Service) {
	note := func(one, other cluster.ServiceID) {
		if i, known := slices.BinarySearch(s.apart[one], other); !known {
			s.apart[one] = slices.Insert(s.apart[one], i, other)
		}
	}
	for _, name := range service.Spec.Placement.ApartFrom {
		other := cluster.ServiceNamed(name, service.ID.Stack())
		note(service.ID, other)
		note(other, service.ID)
	}
}

func (s *Snapshot) add(v state.View, t *cluster.Task) {
	if t.Node == "" {
		if prev, ok := v.Task(t.Replaces); ok && t.Desired == cluster.Running {
			if i, ok := s.counts(prev); ok {
				s.leaving[prev.ID] = i
			} else if i, ok := s.wants(prev); ok {
				s.absentLeaving[prev.ID] = i
			}
		}
		return
	}
	if i, ok := s.index[t.Node]; ok && t.Holds() {
		demand := vectorOf(t.Resources)
		s.mix.Add((*packing.Vector)(&demand))
		held := weight(demand)
		s.load[i].add(&held)
		s.nominal = s.nominal || held != demand
		s.tasks[i]++
		s.ports[i] = append(s.ports[i], t.HostPorts...)
		s.more = s.more || held.more()
		if len(t.Devices) > 0 {
			s.devices[i] = cluster.UsedDevices(s.nodes[i].Devices, s.devices[i], t.Devices)
		}
	}
	i, ok := s.wants(t)
	if !ok {
		return
	}
	all := s.wanted
	if s.nodes[i].Condition == cluster.Down {
		all = s.absent
	}
	on := all[t.Service]
	if on == nil {
		on = map[int]int{}
		all[t.Service] = on
	}
	on[i]++
}

// wants reports whether the task is one of its service's wanted tasks, and on
// which node.
func (s *Snapshot) wants(t *cluster.Task) (node int, ok bool) {
	i, ok := s.index[t.Node]
	return i, ok && t.Holds() && t.Desired == cluster.Running
}

// counts reports the same of a task whose node is not down.
func (s *Snapshot) counts(t *cluster.Task) (node int, ok bool) {
	i, ok := s.wants(t)
	return i, ok && s.nodes[i].Condition != cluster.Down
}

// cpuOvercommit is how much of a host's CPU, in hundredths, is promised before
// it counts as crowded. That is no reason to leave a task without a node: what
// waits for a processor goes on later, what finds no memory dies.
const cpuOvercommit = 150

// Usage is what was measured of a node.
type Usage struct {
	// Used is what the whole host uses now.
	Used cluster.Resources
	// Expected is what it is likely to need: for every task the larger of what
	// it reserves and what it uses, and what is not ours.
	Expected cluster.Resources
}

// Measured is the snapshot with what was measured of some of the nodes. It can
// only make less of what memory is free, never more. What CPU is used takes no
// room: reservations alone limit it, and crowded nodes come last.
func (s *Snapshot) Measured(usage map[cluster.NodeID]Usage) Snapshot {
	out := *s
	out.free, out.used, out.measured = slices.Clone(s.free), slices.Clone(s.used), slices.Clone(s.measured)
	out.inUse, out.slack = slices.Clone(s.inUse), slices.Clone(s.slack)
	for i, n := range s.nodes {
		u, ok := usage[n.ID]
		if !ok {
			continue
		}
		free := &out.free[i][dimMemory]
		out.inUse[i] = max(*free-(n.Capacity.Memory-u.Expected.Memory), 0)
		*free -= out.inUse[i]
		out.slack[i] = n.Capacity.MilliCPU*cpuOvercommit/100 - u.Expected.MilliCPU
		out.used[i], out.measured[i] = vectorOf(u.Used), true
		copy(out.used[i][always:], s.load[i][always:]) // which nobody measures
	}
	return out
}

// backOff is how often tasks of a service have failed on a node, in the window
// that the caller counts, before its other nodes come first.
const backOff = 5

// Failed is the snapshot with how often tasks of each service failed on each
// node lately: within five minutes, say.
func (s *Snapshot) Failed(times map[cluster.ServiceID]map[cluster.NodeID]int) Snapshot {
	out := *s
	out.failing = make(map[cluster.ServiceID]map[int]int, len(times))
	for service, on := range times {
		often := map[int]int{}
		for id, n := range on {
			if i, ok := s.index[id]; ok && n >= backOff {
				often[i] = n
			}
		}
		out.failing[service] = often
	}
	return out
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
