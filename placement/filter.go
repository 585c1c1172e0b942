package placement

import (
	"fmt"

	"github.com/musterhq/muster/cluster"
)

// filter is one reason why a node may be unable to take a task.
type filter struct {
	name string
	// lasting: the answer cannot change while a plan is made.
	lasting bool
	check   func(n *node, j *job) refusal
}

// refusal is what stands in the way of a task on a node; the zero value is
// nothing.
type refusal struct {
	text string
	// short is what the node lacks; it is reported in place of a text, and
	// for many nodes together.
	short cluster.Resources
}

// filters are asked in this order; the first refusal is the one that people
// are told.
var filters = []filter{
	{"schedulable", true, schedulable},
	{"constraints", true, constraints},
	{"max per node", false, maxPerNode},
	{"host ports", false, hostPorts},
	{"resources", false, resources},
}

// job is a request with what its checks need prepared.
type job struct {
	*Request
	// here is the service's number of wanted tasks on the node being checked,
	// without the one that the task replaces; kept where MaxPerNode is set.
	here int

	constraintText []string
	portText       []string
	maxText        string
}

func newJob(r *Request) *job {
	j := &job{Request: r}
	for _, c := range r.Constraints {
		j.constraintText = append(j.constraintText, fmt.Sprintf("does not match %s", c))
	}
	for _, p := range r.HostPorts {
		j.portText = append(j.portText, fmt.Sprintf("port %d/%s is taken", p.Published, p.Protocol))
	}
	if r.MaxPerNode > 0 {
		j.maxText = fmt.Sprintf("has %d of the service, which is its max_replicas_per_node", r.MaxPerNode)
	}
	return j
}

func schedulable(n *node, _ *job) refusal { return refusal{text: n.blocked} }

func constraints(n *node, j *job) refusal {
	for i := range j.Constraints {
		if !j.Constraints[i].Matches(n.Node) {
			return refusal{text: j.constraintText[i]}
		}
	}
	return refusal{}
}

func maxPerNode(_ *node, j *job) refusal {
	if j.MaxPerNode > 0 && j.here >= j.MaxPerNode {
		return refusal{text: j.maxText}
	}
	return refusal{}
}

func hostPorts(n *node, j *job) refusal {
	for i, p := range j.HostPorts {
		for _, q := range n.ports {
			if p.Published == q.Published && p.Protocol == q.Protocol &&
				(p.HostIP == q.HostIP || p.HostIP == "" || q.HostIP == "") {
				return refusal{text: j.portText[i]}
			}
		}
	}
	return refusal{}
}

func resources(n *node, j *job) refusal {
	if j.Resources.Fits(n.free) {
		return refusal{}
	}
	short := cluster.Resources{
		MilliCPU: max(j.Resources.MilliCPU-max(n.free.MilliCPU, 0), 0),
		Memory:   max(j.Resources.Memory-max(n.free.Memory, 0), 0),
	}
	if short == (cluster.Resources{}) {
		return refusal{text: "holds more than its capacity"}
	}
	return refusal{short: short}
}
