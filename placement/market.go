package placement

import (
	"math"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/placement/packing"
)

// market is what a plan knows of the price of room, which the policy hybrid goes by.
type market struct {
	mix    packing.Mix
	prices *packing.Prices // nil: nobody has asked yet
	made   int32           // how often prices were made
	rests  []rest          // by node
	fleet  packing.Fleet
	// Those of the node that is looked at, and its GPUs before and after.
	room          packing.Room
	before, after []int64
}

// rest is what is left of a node as prices that were made see it.
type rest struct {
	packing.Rest
	made int32 // 0: it has changed since
}

// see counts a task that asks for a node. Prices that do not hold any more are made
// anew here, whoever asks for them: so it matters to no task which others are of its
// group.
func (p *plan) see(r *Request) {
	m, demand := &p.market, packing.Vector(vectorOf(r.Resources))
	m.mix.Add(&demand)
	if m.prices != nil && m.prices.Old(&m.mix, &m.fleet.Free) {
		p.price()
	}
}

// prices are those of room now.
func (p *plan) prices() *packing.Prices {
	if p.market.prices == nil {
		p.survey()
		p.price()
	}
	return p.market.prices
}

func (p *plan) price() {
	p.market.prices = p.market.mix.Prices(&p.market.fleet)
	p.market.made++
}

// survey finds what there is on the nodes that take tasks.
func (p *plan) survey() {
	m := &p.market
	m.rests = make([]rest, len(p.snap.nodes))
	m.fleet.Rooms = p.rooms
	for n := range p.open.all() {
		for d, has := range vectorOf(p.snap.nodes[n].Capacity) {
			m.fleet.Total[d] = more(m.fleet.Total[d], has)
			m.fleet.Free[d] = more(m.fleet.Free[d], p.free[n][d])
			m.fleet.Largest[d] = max(m.fleet.Largest[d], has)
		}
	}
}

// more is sum and amount together, if that is a number.
func more(sum, amount int64) int64 {
	if amount <= 0 {
		return sum
	}
	return sum + min(amount, math.MaxInt64-sum)
}

// rooms yields what is free on every node that takes tasks.
func (p *plan) rooms(yield func(*packing.Room) bool) {
	m := &p.market
	for n := range p.open.all() {
		if m.room = p.room(n, &m.before); !yield(&m.room) {
			return
		}
	}
}

// room is what is free on a node; its GPUs are put into the buffer.
func (p *plan) room(n int, buffer *[]int64) packing.Room {
	r := packing.Room{Free: packing.Vector(p.free[n])}
	if p.snap.per[n][dimGPU] == 0 {
		return r
	}
	r.GPUs = (*buffer)[:0]
	used := p.usedDevices(n)
	for i, d := range p.snap.nodes[n].Devices {
		if d.Kind == cluster.DeviceGPU && i < len(used) {
			r.GPUs = append(r.GPUs, cluster.WholeDevice-used[i])
		}
	}
	*buffer = r.GPUs
	return r
}

// rest is that of a node.
func (p *plan) rest(n int) *packing.Rest {
	r := &p.market.rests[n]
	if r.made != p.market.made {
		p.look(n)
	}
	return &r.Rest
}

func (p *plan) look(n int) {
	m := &p.market
	room := p.room(n, &m.before)
	m.rests[n] = rest{m.prices.Rest(&room), m.made}
}

// take takes room from a node, or with a negative sign gives it back. All that
// changes what is free goes through here.
func (p *plan) take(n int, demand *vector, sign int64) {
	for d, amount := range demand {
		p.free[n][d] -= sign * amount
	}
	m := &p.market
	if m.prices == nil {
		return
	}
	m.rests[n].made = 0
	if p.open.has(n) {
		for d, amount := range demand {
			m.fleet.Free[d] -= sign * amount
		}
	}
}

// floor is a cost that the node's is never below.
func (g *group) floor(n int) int64 {
	p := g.plan
	price := g.question.Floor((*packing.Vector)(&p.free[n]), p.rest(n), &p.snap.per[n])
	return inMillionths(price*bound(price) + g.busy(n))
}

// settled is what the node costs, which can take the task.
func (g *group) settled(n int) int64 {
	price := g.price(n)
	sum := price.Sum()
	return inMillionths(sum*bound(sum) + g.busy(n))
}

func (g *group) price(n int) packing.Price {
	p := g.plan
	before, after := p.room(n, &p.market.before), p.room(n, &p.market.after)
	after.Give((*packing.Vector)(&g.job.demand))
	return g.question.Price(&before, &after, p.rest(n), &p.snap.per[n])
}

// busy is by how much the node uses too much with the task, or holds more than it
// has.
func (g *group) busy(n int) float64 {
	if measured := g.plan.snap.measured[n]; measured || g.nominal {
		return g.load(n, measured)
	}
	return 0
}

func (g *group) load(n int, measured bool) float64 {
	p, with := g.plan, &g.prospect.load
	with.sum(&p.load[n], &g.weight, false)
	out := overfull(with, &p.snap.per[n])
	if measured {
		with.sum(&p.used[n], &g.weight, false)
		out += avoided(with, &p.snap.per[n])
	}
	return out
}

// reprice begins anew where the prices have changed since the candidates were
// rated.
func (g *group) reprice() {
	if !g.priced {
		return
	}
	if now := g.plan.prices(); now != g.prices {
		g.ask(now)
		for i := range g.candidates {
			g.rate(&g.candidates[i])
		}
		g.tree = nil
		g.plan.visits += len(g.candidates)
	}
}

func (g *group) ask(prices *packing.Prices) {
	g.prices = prices
	g.question = prices.For((*packing.Vector)(&g.job.demand), g.plan.snap.lasting)
}
