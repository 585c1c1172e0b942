package placement

import (
	"fmt"

	"github.com/musterhq/muster/cluster"
)

// filter is one reason why a node may be unable to take a task.
type filter struct {
	name string
	// narrow leaves in the set the nodes that pass. Only a filter whose
	// answer cannot change while a plan is made has it, and is asked by it for
	// all nodes at once.
	narrow func(p *plan, j *job, set bitset)
	check  func(p *plan, n int, j *job) refusal
}

// refusal is what stands in the way of a task on a node; the zero value is
// nothing.
type refusal struct {
	text string
	// short is what the node lacks; it is reported in place of a text, and
	// for many nodes together.
	short vector
}

// filters are asked in this order; the first refusal is the one that people
// are told.
var filters = []filter{
	{"schedulable", narrowSchedulable, schedulable},
	{"labels", narrowLabels, labels},
	{"constraints", narrowConstraints, constraints},
	{"leaves", nil, leaves},
	{"apart", nil, apart},
	{"max per node", nil, maxPerNode},
	{portsFilter, nil, hostPorts},
	{roomFilter, nil, resources},
	{devicesFilter, nil, devices},
}

// Filters that pass once tasks have left the node.
const (
	portsFilter   = "host ports"
	roomFilter    = "resources"
	devicesFilter = "devices"
)

func (f *filter) yields() bool {
	return f.name == portsFilter || f.name == roomFilter || f.name == devicesFilter
}

// job is a request with what its checks need prepared.
type job struct {
	*Request
	demand vector
	// wanted is the service's number of wanted tasks, by node, with those that
	// this plan gave them and without the one that the task replaces.
	wanted map[int]int

	constraintText []string
	portText       []string
	maxText        string
	lackText       map[lack]string // filled in as it is needed
}

func (p *plan) newJob(r *Request) *job {
	j := &job{Request: r, demand: vectorOf(r.Resources), wanted: p.wantedOf(r.Service)}
	for _, c := range r.Constraints {
		text := "does not match " + c.String()
		if p.nobodyHas(c.Key) {
			text += ", a label that no node has"
		}
		j.constraintText = append(j.constraintText, text)
	}
	for _, port := range r.HostPorts {
		j.portText = append(j.portText, fmt.Sprintf("port %d/%s is taken", port.Published, port.Protocol))
	}
	if r.MaxPerNode > 0 {
		j.maxText = fmt.Sprintf("has %d of the service, which is its max_replicas_per_node", r.MaxPerNode)
	}
	if len(r.Devices) > 0 {
		j.lackText = map[lack]string{}
	}
	return j
}

func schedulable(p *plan, n int, _ *job) refusal { return refusal{text: p.snap.blocked[n]} }

func narrowSchedulable(p *plan, _ *job, set bitset) { set.keep(p.open) }

// labels are those that a node's owner reserves it with: partition, pool and
// taints.
func labels(p *plan, n int, j *job) refusal {
	return refusal{text: j.placement().Bars(p.snap.nodes[n])}
}

func narrowLabels(p *plan, j *job, set bitset) {
	keep := func(label, value string) {
		if value != "" {
			set.keep(p.matching(cluster.Constraint{Key: "node.labels." + label, Op: cluster.Equal, Value: value}))
		}
	}
	keep(cluster.PartitionLabel, j.placement().Partition)
	keep(cluster.PoolLabel, j.placement().Pool)
	for _, n := range p.snap.reserved {
		if set.has(n) && j.placement().Bars(p.snap.nodes[n]) != "" {
			set.drop(n)
		}
	}
}

func constraints(p *plan, n int, j *job) refusal {
	for i, c := range j.Constraints {
		if !p.matching(c).has(n) {
			return refusal{text: j.constraintText[i]}
		}
	}
	return refusal{}
}

func narrowConstraints(p *plan, j *job, set bitset) {
	for _, c := range j.Constraints {
		set.keep(p.matching(c))
	}
}

// leaves keeps a task off the node that it is to leave.
func leaves(p *plan, n int, j *job) refusal {
	if j.Leaves != "" && p.snap.nodes[n].ID == j.Leaves {
		return refusal{text: "is to be left"}
	}
	return refusal{}
}

// apart keeps services from each other's nodes, whichever of them asked for it.
func apart(p *plan, n int, j *job) refusal {
	for _, other := range p.snap.apart[j.Service] {
		if p.wantedOf(other)[n] > 0 {
			return refusal{text: fmt.Sprintf("runs %s, which it is to be apart from", other)}
		}
	}
	return refusal{}
}

func maxPerNode(_ *plan, n int, j *job) refusal {
	if j.MaxPerNode > 0 && j.wanted[n] >= j.MaxPerNode {
		return refusal{text: j.maxText}
	}
	return refusal{}
}

func hostPorts(p *plan, n int, j *job) refusal {
	for i, port := range j.HostPorts {
		if taken(port, p.snap.ports[n]) || taken(port, p.ports[n]) {
			return refusal{text: j.portText[i]}
		}
	}
	return refusal{}
}

func taken(p cluster.Port, by []cluster.Port) bool {
	for _, q := range by {
		if p.Published == q.Published && p.Protocol == q.Protocol &&
			(p.HostIP == q.HostIP || p.HostIP == "" || q.HostIP == "") {
			return true
		}
	}
	return false
}

// What is said of nodes that have the room by what tasks reserve; the second where
// they reserve nothing.
const (
	inUse        = "the memory that nobody reserves is in use"
	inUseByOther = "memory that it reserves is in use by what is no task"
)

func resources(p *plan, n int, j *job) refusal {
	if j.demand.fits(&p.free[n]) {
		return refusal{}
	}
	free := p.free[n]
	if free[dimMemory] += p.snap.inUse[n]; j.demand.fits(&free) {
		// Without a figure, which would be another each time.
		if free[dimMemory] == p.snap.nodes[n].Capacity.Memory {
			return refusal{text: inUseByOther}
		}
		return refusal{text: inUse}
	}
	short := j.demand.short(&free)
	if short == (vector{}) {
		return refusal{text: "holds more than its capacity"}
	}
	return refusal{short: short}
}
