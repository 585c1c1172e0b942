package placement

import (
	"cmp"
	"slices"

	"github.com/musterhq/muster/cluster"
)

// Tenant is a task on a node. All that hold something there belong to a question
// about rebalancing, those that must not move too.
type Tenant struct {
	Request // as if it were placed anew; Task is the one that is there
	Node    cluster.NodeID
	Stays   bool // it must not move; nor does one that has devices
	// Uses is what it is likely to use, where that was measured; it counts for no
	// less than it reserves.
	Uses cluster.Resources
}

// Rebalancing says what is asked of Rebalance.
type Rebalancing struct {
	// Pack empties hosts, in place of evening out the load.
	Pack bool
	// Moves is how many there are at most, PerService of one service; 0: any
	// number.
	Moves, PerService int
	Seed              uint64 // decides among equal nodes
}

// Move is a task that would be better on another node.
type Move struct {
	Task     cluster.TaskID
	Service  cluster.ServiceID
	From, To cluster.NodeID
	// Gain is by how much the objective of docs/placement.md falls, in
	// millionths.
	Gain int64
	Why  string
}

const (
	// apartBy is how many shares of a host two hosts are to be apart, after a move
	// for the load, for it to be worth it.
	apartBy = 0.1
	// noGain is what only rounding makes of nothing.
	noGain = 1e-9
	// rebalanceVisits bounds how many nodes are looked at for one answer. What is
	// left then is found the next time.
	rebalanceVisits = 20_000_000
)

// Rebalance finds moves that bring the tasks closer to where their policies would
// place them now, the best first. Each is good once those before it are done. None
// breaks a filter or is for less than the threshold, and once none is left the
// answer is empty.
func Rebalance(snap Snapshot, tenants []Tenant, o Rebalancing) []Move {
	b := newBalance(snap, tenants, o)
	if o.Pack {
		b.pack()
	} else {
		b.evenOut()
	}
	return b.out
}

// balance is one call of Rebalance or Shed. Its plan holds the nodes as they are
// after the moves so far.
type balance struct {
	*plan
	o       Rebalancing
	houses  []*house
	lodgers []int // by node: tenants that are bound to no node
	moved   map[cluster.ServiceID]int
	visits  int
	cut     bool // a host is being emptied, with moves that are left for later
	out     []Move
}

// house is the tenants whose requests differ in nothing but the task.
type house struct {
	request Request
	policy  *policy
	movable map[int][]*Tenant // by node; by task
}

func newBalance(snap Snapshot, tenants []Tenant, o Rebalancing) *balance {
	b := &balance{
		plan: newPlan(snap, o.Seed, filters), o: o,
		lodgers: make([]int, len(snap.nodes)), moved: map[cluster.ServiceID]int{},
	}
	tenants = slices.Clone(tenants)
	slices.SortFunc(tenants, func(x, y Tenant) int { return cmp.Or(cmp.Compare(x.Service, y.Service), cmp.Compare(x.Task, y.Task)) })
	for i := range tenants {
		t := &tenants[i]
		n, ok := snap.index[t.Node]
		if !ok || t.Pinned != "" || snap.nodes[n].Condition == cluster.Down {
			continue
		}
		b.lodgers[n]++
		if t.Invalid == "" {
			h := b.house(t)
			if !t.Stays && len(t.Devices) == 0 {
				h.movable[n] = append(h.movable[n], t)
			}
		}
	}
	return b
}

// house is the tenant's, which is of the newest service.
func (b *balance) house(t *Tenant) *house {
	for i := len(b.houses) - 1; i >= 0 && b.houses[i].request.Service == t.Service; i-- {
		if b.houses[i].request.alike(&t.Request) {
			return b.houses[i]
		}
	}
	h := &house{request: t.Request, policy: policyOf(t.placement().Policy), movable: map[int][]*Tenant{}}
	b.houses = append(b.houses, h)
	return h
}

// full reports whether no further move may be made, of any service.
func (b *balance) full() bool {
	return b.cut || b.o.Moves > 0 && len(b.out) >= b.o.Moves || b.visits >= rebalanceVisits
}

// mayMove reports whether one more of the service may move.
func (b *balance) mayMove(id cluster.ServiceID) bool {
	return !b.full() && (b.o.PerService == 0 || b.moved[id] < b.o.PerService)
}

// trip is a move in the making.
type trip struct {
	tenant   *Tenant
	house    *house
	from, to int
	gain     float64
	why      string
}

// carry takes the tenant from one end of the trip to the other, in the plan.
func (b *balance) carry(t *trip, from, to int) {
	b.lift(t.tenant, from)
	b.put(t.tenant, to)
	b.lodgers[from]--
	b.lodgers[to]++
	on := b.wantedOf(t.tenant.Service)
	on[from]--
	on[to]++
}

// lift takes what the tenant holds from a node, and put gives it to one.
func (b *balance) lift(t *Tenant, n int) {
	demand, used := vectorOf(t.Resources), t.uses()
	held := weight(demand)
	b.take(n, &demand, -1)
	b.load[n].sub(&held)
	b.used[n].sub(&used)
	if b.snap.measured[n] { // elsewhere it is without a limit
		b.slack[n] += demand[dimCPU]
	}
	b.tasks[n]--
}

func (b *balance) put(t *Tenant, n int) {
	demand, used := vectorOf(t.Resources), t.uses()
	held := weight(demand)
	b.take(n, &demand, +1)
	b.load[n].add(&held)
	b.used[n].add(&used)
	if b.snap.measured[n] {
		b.slack[n] -= demand[dimCPU]
	}
	b.tasks[n]++
}

// note writes down a trip that was made. Its ports stay taken where it was, as it
// is there until it is here.
func (b *balance) note(t *trip) {
	if len(t.tenant.HostPorts) > 0 {
		b.ports[t.to] = append(b.ports[t.to], t.tenant.HostPorts...)
	}
	t.house.movable[t.from] = slices.DeleteFunc(t.house.movable[t.from], func(o *Tenant) bool { return o == t.tenant })
	b.moved[t.tenant.Service]++
	b.out = append(b.out, Move{
		Task: t.tenant.Task, Service: t.tenant.Service, From: b.snap.nodes[t.from].ID, To: b.snap.nodes[t.to].ID,
		Gain: int64(min(t.gain, worst) * millionths), Why: t.why,
	})
}

// uses is what the tenant counts for where use is measured.
func (t *Tenant) uses() vector {
	out, used := weight(vectorOf(t.Resources)), vectorOf(t.Uses)
	for d := range out {
		out[d] = max(out[d], used[d])
	}
	return out
}

// evenOut makes the best move of every service, round after round, those with the
// largest gains first.
func (b *balance) evenOut() {
	for moved := true; moved && !b.full(); {
		moved = false
		type offer struct {
			house *house
			gain  float64
		}
		var offers []offer
		for _, h := range b.houses {
			if b.mayMove(h.request.Service) {
				if t, ok := b.best(h); ok {
					offers = append(offers, offer{h, t.gain})
				}
			}
		}
		slices.SortStableFunc(offers, func(x, y offer) int { return cmp.Compare(y.gain, x.gain) })
		for _, o := range offers {
			if !b.mayMove(o.house.request.Service) {
				continue
			}
			if t, ok := b.best(o.house); ok { // as it is after the others
				b.carry(&t, t.from, t.to)
				b.note(&t)
				moved = true
			}
		}
	}
}

// best is the first move that is worth it of the tenant that would be missed least
// where it is, to the node where its policy would place it.
func (b *balance) best(h *house) (t trip, ok bool) {
	sources := b.sources(h)
	if len(sources) == 0 {
		return t, false
	}
	g := b.newGroup(&h.request)
	for _, from := range sources {
		if b.visits += len(g.candidates); b.full() {
			return t, false
		}
		tenant := h.movable[from][0]
		to, found := b.elsewhere(g, tenant, from)
		if !found {
			continue
		}
		t = trip{tenant: tenant, house: h, from: from, to: to}
		if b.worth(&t) {
			return t, true
		}
	}
	return t, false
}

// elsewhere is where the policy would place a task that leaves its node; not where
// the service failed lately or the CPU is crowded. There is no such place if the
// policy would rather have it where it is.
func (b *balance) elsewhere(g *group, t *Tenant, from int) (to int, ok bool) {
	leaving := t.Request
	leaving.Leaves = b.snap.nodes[from].ID
	g.job.Request = &leaving
	g.addWanted(from, -1)
	defer g.addWanted(from, +1)
	best, _ := g.scan()
	if best == nil || best.failed+int(best.crowded) > 0 || b.stays(g, t, from, best) {
		return 0, false
	}
	return best.node, true
}

// stays reports whether the tenant's node comes before another once it is not there.
func (b *balance) stays(g *group, t *Tenant, from int, other *candidate) bool {
	i, open := g.candidate(from)
	if !open {
		return false
	}
	b.lift(t, from)
	defer b.put(t, from)
	stay := g.candidates[i]
	g.rate(&stay)
	g.settle(&stay)
	return g.compare(&stay, other) < 0
}

// worth reports whether the move is for more than the threshold, by the tenant's
// policy: those that pack leave a host for their service's distance, or because it
// is hot, and all others for the load as well.
func (b *balance) worth(t *trip) bool {
	apart, load := b.apart(t), b.evener(t)
	hot := b.measuredHot(t.from) && !b.hotWith(t)
	if t.house.policy.packs() && apart <= 0 && !hot {
		return false
	}
	t.gain = apart + load
	switch {
	case apart > 0:
		t.why = "it is with more of its service than it would be"
	case hot:
		t.why = "its node is busy"
	default:
		t.why = "its node is fuller"
	}
	return t.gain > noGain && t.gain >= 2*apartBy*b.size(t)
}

// packs reports whether the policy fills one host after the other.
func (p *policy) packs() bool {
	return p.name == cluster.PolicyHybrid || p.name == cluster.PolicyBinpack
}

// size is the tenant's largest share of either node.
func (b *balance) size(t *trip) float64 {
	return max(b.shareOf(t.tenant, t.from), b.shareOf(t.tenant, t.to))
}

// shareOf is the tenant's share of a node.
func (b *balance) shareOf(t *Tenant, n int) float64 {
	held := t.uses()
	return b.most(&held, n)
}

// largestFirst orders tenants of a node by their shares of it.
func (b *balance) largestFirst(trips []trip, n int) {
	slices.SortStableFunc(trips, func(x, y trip) int {
		return cmp.Compare(b.shareOf(y.tenant, n), b.shareOf(x.tenant, n))
	})
}
