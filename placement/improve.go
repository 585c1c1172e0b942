package placement

import (
	"slices"

	"github.com/musterhq/muster/cluster"
)

const (
	// improveRounds is how often each task of a batch is looked at again, and
	// improveVisits how many nodes are looked at in all of them.
	improveRounds = 3
	improveVisits = 4_000_000
)

// placed is a task of a policy that improves its batch, and where the plan says
// so.
type placed struct {
	request *Request
	choice  int
}

// improve takes the tasks of a batch from their places, one by one, and puts
// each where it is best now that the others are there, too. It ends when nothing
// moves any more or the budget is spent. A plan that could not place everything
// stays as it is: those that wait were told why. So does one in which choosing
// again panics: every choice in it is good.
func (p *plan) improve() {
	if len(p.out.Pending) > 0 {
		return
	}
	defer func() { _ = recover() }()
	visits := 0
	for round, moved := 0, true; moved && round < improveRounds; round++ {
		moved = false
		for _, one := range p.batch {
			if visits += len(p.snap.nodes); visits > improveVisits {
				return
			}
			moved = p.again(one) || moved
		}
	}
}

// again chooses a second time, and reports whether the task moved.
func (p *plan) again(one placed) (moved bool) {
	choice := &p.out.Assign[one.choice]
	at := p.snap.index[choice.Node]
	p.release(one.request, at, choice.Devices)
	g := p.newGroup(one.request)
	defer g.leave(one.request)()
	old, ok := g.candidate(at)
	best, second := g.scan()
	if !ok || best == nil {
		panic("the place that a task had is none")
	}
	stay := &g.candidates[old]
	if best.failed >= stay.failed && best.crowded >= stay.crowded && g.compareDomains(best.leaf, stay.leaf) >= 0 && best.near >= stay.near && best.cost >= stay.cost {
		if best != stay {
			best, second = stay, best
		}
	}
	*choice = g.take(best, second)
	return best.node != at
}

// release gives back what the request was given on a node.
func (p *plan) release(r *Request, n int, devices []cluster.DeviceShare) {
	demand := vectorOf(r.Resources)
	held := weight(demand)
	p.take(n, &demand, -1)
	p.slack[n] += demand[dimCPU]
	p.load[n].sub(&held)
	p.used[n].sub(&held)
	p.tasks[n]--
	p.wantedOf(r.Service)[n]--
	p.hold(n, devices, -1)
	for _, port := range r.HostPorts {
		i := slices.IndexFunc(p.ports[n], func(q cluster.Port) bool { return q == port })
		p.ports[n] = slices.Delete(p.ports[n], i, i+1)
	}
}
