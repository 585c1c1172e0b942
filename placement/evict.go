package placement

import (
	"cmp"
	"slices"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/placement/preempt"
)

// Eviction is a task that has to leave its node for another of a higher
// priority.
type Eviction struct {
	Task cluster.TaskID
	For  cluster.TaskID
}

// evictVisits is how many nodes are looked at for evictions in a plan.
const evictVisits = 1_000_000

// yard is what evictions have to know of a node.
type yard struct {
	// coming is what tasks that are on their way out will give back, less what is
	// kept for others already.
	coming  vector
	devices []int64          // the same of each of the node's devices
	claimed []cluster.Port   // ports that are kept for others
	leaving int              // the lowest priority of those on their way out
	running []preempt.Victim // with all priorities: a port may be in the way
}

// yard is made when a node is looked at first.
func (p *plan) yard(n int) *yard {
	if y, ok := p.yards[n]; ok {
		return y
	}
	has := p.snap.nodes[n].Devices
	y := &yard{leaving: cluster.MaxPriority + 1, devices: make([]int64, len(has))}
	for t := range p.snap.view.TasksOn(p.snap.nodes[n].ID) {
		if !t.Holds() {
			continue
		}
		rank := cluster.DefaultPriority
		if s, ok := p.snap.view.Service(t.Service); ok {
			rank = s.Spec.Placement.Rank()
		}
		if t.Desired == cluster.Running {
			y.running = append(y.running, preempt.Victim{Task: t.ID, Priority: rank, Resources: t.Resources, Ports: t.HostPorts, Devices: t.Devices})
			continue
		}
		held := vectorOf(t.Resources)
		y.coming.add(&held)
		cluster.UsedDevices(has, y.devices, t.Devices)
		y.leaving = min(y.leaving, rank)
	}
	p.yards[n] = y
	return y
}

// exit is a way to make room on a node.
type exit struct {
	node  int
	set   []preempt.Victim
	cost  preempt.Cost
	under bool // tasks of a lower priority are on their way out
}

// makeRoom finds the cheapest tasks whose place the job may take, and keeps that
// place for it: while others are on their way out of a node, no more are evicted,
// and nobody who comes later gets what they leave, or would be evicted for it. It
// says what the job waits for.
func (p *plan) makeRoom(j *job) (reason string, ok bool) {
	most := j.placement().Rank() - preempt.Gap
	if j.placement().Preempt == cluster.PreemptNever || p.snap.lowest > most {
		return "", false
	}
	var best exit
	for n := range p.eligible(j).all() {
		if p.sought++; p.sought > evictVisits {
			return "", false
		}
		if e, can := p.exit(n, j, most); can && (!ok || p.compareExits(&e, &best) < 0) {
			best, ok = e, true
		}
	}
	if !ok {
		return "", false
	}
	p.evict(j, best)
	name := p.snap.nodes[best.node].Name
	if len(best.set) == 0 && !best.under {
		return "waits for tasks that are leaving " + name, true
	}
	return "waits for tasks of a lower priority to leave " + name, true
}

func (p *plan) exit(n int, j *job, most int) (e exit, ok bool) {
	for i := range p.filters {
		if f := &p.filters[i]; f.narrow == nil && !f.yields() && f.check(p, n, j) != (refusal{}) {
			return e, false
		}
	}
	y := p.yard(n)
	for _, port := range j.HostPorts {
		if taken(port, p.ports[n]) || taken(port, y.claimed) {
			return e, false
		}
	}
	free := p.free[n]
	free.add(&y.coming)
	need := preempt.Need{Priority: most + preempt.Gap, Resources: j.Resources, Ports: j.HostPorts, Free: free.resources()}
	if len(j.Devices) > 0 {
		need.Devices, need.Have, need.Used = j.Devices, p.snap.nodes[n].Devices, p.devicesThen(n, y)
	}
	set, ok := preempt.Choose(need, y.running)
	return exit{n, set, preempt.CostOf(set), y.leaving <= most}, ok
}

// compareExits orders ways, better ones first.
func (p *plan) compareExits(a, b *exit) int {
	if c := a.cost.Compare(b.cost); c != 0 {
		return c
	}
	if a.under != b.under {
		if a.under {
			return -1
		}
		return 1
	}
	return cmp.Compare(p.snap.nodes[a.node].ID, p.snap.nodes[b.node].ID)
}

// evict writes down who leaves, and keeps the place.
func (p *plan) evict(j *job, e exit) {
	y := p.yard(e.node)
	out := map[cluster.TaskID]bool{}
	for _, v := range e.set {
		p.out.Evict = append(p.out.Evict, Eviction{Task: v.Task, For: j.Task})
		held := vectorOf(v.Resources)
		y.coming.add(&held)
		cluster.UsedDevices(p.snap.nodes[e.node].Devices, y.devices, v.Devices)
		y.leaving = min(y.leaving, v.Priority)
		out[v.Task] = true
	}
	rest := make([]preempt.Victim, 0, len(y.running))
	for _, v := range y.running {
		if !out[v.Task] {
			rest = append(rest, v)
		}
	}
	y.running = rest
	y.claimed = append(y.claimed, j.HostPorts...)
	var kept vector
	for d, free := range p.free[e.node] {
		left := free + y.coming[d] - j.demand[d]
		kept[d] = free - min(free, left)
		y.coming[d] = left - min(free, left)
	}
	p.take(e.node, &kept, +1)
	p.keepDevices(j, e.node, y)
}

// devicesThen is how much of each of the node's devices is in use once those that
// are on their way out have left.
func (p *plan) devicesThen(n int, y *yard) []int64 {
	then := slices.Clone(p.usedDevices(n))
	for d := range then {
		then[d] -= y.devices[d]
	}
	return then
}

// keepDevices keeps devices for the job as evict does for room: first of what is
// yet to come.
func (p *plan) keepDevices(j *job, n int, y *yard) {
	if len(j.Devices) == 0 {
		return
	}
	has := p.snap.nodes[n].Devices
	given, _, _ := cluster.PickDevices(has, p.devicesThen(n, y), j.Devices)
	for _, share := range given {
		d := slices.IndexFunc(has, func(h cluster.HostDevice) bool { return h.Kind == share.Kind && h.ID == share.ID })
		free := cluster.WholeDevice - p.usedDevices(n)[d]
		left := free + y.devices[d] - share.Milli
		y.devices[d] = left - min(free, left)
		share.Milli = free - min(free, left)
		p.hold(n, []cluster.DeviceShare{share}, +1)
	}
}
