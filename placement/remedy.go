package placement

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/musterhq/muster/cluster"
)

// remedies say, by filter, what would have to change for the node to pass; a
// filter without one, or an empty answer, means that nothing can.
var remedies = map[string]func(p *plan, n int, j *job) []Change{
	"schedulable":  openNode,
	"labels":       admit,
	"constraints":  relax,
	"leaves":       stay,
	"apart":        bringTogether,
	"max per node": raiseMax,
	"host ports":   freePorts,
	"resources":    makeRoom,
	"devices":      bringDevices,
}

func openNode(p *plan, n int, _ *job) []Change {
	node := p.snap.nodes[n]
	open := func(kind Kind, format string, args ...any) Change {
		return Change{Kind: kind, Node: node.ID, Text: fmt.Sprintf(format, args...), what: node.Name, do: func(s *Snapshot, _ *Request) {
			s.blocked = slices.Clone(s.blocked)
			s.blocked[n] = ""
		}}
	}
	var out []Change
	if node.Availability != cluster.Active {
		c := open(Uncordon, "uncordon %s", node.Name)
		c.what = "" // one such node is as good as another
		out = append(out, c)
	}
	if node.Condition != cluster.Ready {
		c := open(Recover, "%s no longer %s", node.Name, node.Condition)
		ready := c.do
		c.do = func(s *Snapshot, r *Request) {
			ready(s, r)
			s.back(n, r)
		}
		out = append(out, c)
	}
	if node.EngineError != "" {
		out = append(out, open(Recover, "a working engine on %s (%s)", node.Name, node.EngineError))
	}
	if p.snap.held[node.ID] || len(out) == 0 {
		out = append(out, open(Recover, "%s no longer %s", node.Name, held))
	}
	return out
}

func admit(p *plan, n int, j *job) []Change {
	node, want := p.snap.nodes[n], j.placement()
	var out []Change
	if has := node.Labels[cluster.PartitionLabel]; !strings.EqualFold(has, want.Partition) {
		c := Change{Kind: Partition, Node: node.ID, Text: fmt.Sprintf("%s without the label %s", node.Name, cluster.PartitionLabel), what: has}
		if want.Partition != "" {
			c.Text = fmt.Sprintf("the label %s=%s on %s", cluster.PartitionLabel, want.Partition, node.Name)
		}
		c.do = func(s *Snapshot, r *Request) { s.label(n, cluster.PartitionLabel, r.placement().Partition) }
		out = append(out, c)
	}
	if want.Pool != "" && !strings.EqualFold(node.Labels[cluster.PoolLabel], want.Pool) {
		out = append(out, Change{
			Kind: LeavePool, Node: node.ID, what: want.Pool,
			Text: fmt.Sprintf("the service without the pool %s (%s is not of it)", want.Pool, node.Name),
			do:   func(_ *Snapshot, r *Request) { r.place(func(p *cluster.Placement) { p.Pool = "" }) },
		})
	}
	for _, taint := range node.Taints() {
		if want.Tolerates(taint) {
			continue
		}
		out = append(out, Change{
			Kind: Tolerate, Node: node.ID, what: taint.String(),
			Text: fmt.Sprintf("tolerate the taint %s, or remove it from %s", taint, node.Name),
			do: func(_ *Snapshot, r *Request) {
				r.place(func(p *cluster.Placement) { p.Tolerations = append(slices.Clone(p.Tolerations), taint.String()) })
			},
		})
	}
	return out
}

// label gives a node another value of a label; "" takes it away.
func (s *Snapshot) label(n int, key, value string) {
	node := *s.nodes[n]
	node.Labels = maps.Clone(node.Labels)
	if node.Labels == nil {
		node.Labels = map[string]string{}
	}
	node.Labels[key] = value
	if value == "" {
		delete(node.Labels, key)
	}
	s.nodes = slices.Clone(s.nodes)
	s.nodes[n] = &node
	if !slices.Contains(s.reserved, n) {
		s.reserved = append(slices.Clone(s.reserved), n)
	}
}

// place changes a copy of the request's placement.
func (r *Request) place(edit func(*cluster.Placement)) {
	p := *r.placement()
	edit(&p)
	r.Placement = &p
}

func relax(p *plan, n int, j *job) []Change {
	node := p.snap.nodes[n]
	var out []Change
	for i, c := range j.Constraints {
		if slices.Contains(j.Constraints[:i], c) || p.matching(c).has(n) {
			continue
		}
		value := node.Value(c.Key)
		wider := cluster.Constraint{Key: c.Key, Op: cluster.In, Value: c.Value + "," + value}
		change := Change{Kind: Allow, Node: node.ID, what: c.String() + "\x00" + value}
		if (c.Op == cluster.Equal && !strings.Contains(c.Value, ",") || c.Op == cluster.In) && value != "" && !strings.Contains(value, ",") {
			change.Text = fmt.Sprintf("allow %s %s (%s keeps it off %s)", strings.TrimPrefix(c.Key, "node.labels."), value, c, node.Name)
			change.do = func(_ *Snapshot, r *Request) { r.constrain(c, wider) }
		} else {
			change.Text = fmt.Sprintf("the service without the constraint %s, which keeps it off %s", c, node.Name)
			change.what = c.String()
			change.do = func(_ *Snapshot, r *Request) { r.constrain(c) }
		}
		if out = append(out, change); len(out) > maxChanges {
			break
		}
	}
	return out
}

// constrain puts other constraints in the place of one.
func (r *Request) constrain(old cluster.Constraint, others ...cluster.Constraint) {
	rest := slices.DeleteFunc(slices.Clone(r.Constraints), func(c cluster.Constraint) bool { return c == old })
	r.Constraints = append(rest, others...)
}

func bringTogether(p *plan, n int, j *job) []Change {
	node := p.snap.nodes[n]
	var out []Change
	for _, other := range p.snap.apart[j.Service] {
		if p.wantedOf(other)[n] == 0 {
			continue
		}
		out = append(out, Change{
			Kind: Together, Node: node.ID, what: string(other), size: float64(p.wantedOf(other)[n]),
			Text: fmt.Sprintf("%s without %s, which it is to be apart from", node.Name, other),
			do:   func(s *Snapshot, _ *Request) { s.count(other, n, 0) },
		})
	}
	return out
}

func raiseMax(p *plan, n int, j *job) []Change {
	most := j.wanted[n] + 1
	return []Change{{
		Kind: MorePerNode, Node: p.snap.nodes[n].ID, size: float64(most), Text: fmt.Sprintf("a max_replicas_per_node of %d", most),
		do: func(_ *Snapshot, r *Request) { r.MaxPerNode = most },
	}}
}

func freePorts(p *plan, n int, j *job) []Change {
	node := p.snap.nodes[n]
	var out []Change
	for _, port := range j.HostPorts {
		if !taken(port, p.snap.ports[n]) {
			continue
		}
		out = append(out, Change{
			Kind: FreePort, Node: node.ID, what: fmt.Sprintf("%d/%s", port.Published, port.Protocol),
			Text: fmt.Sprintf("free port %d/%s on %s", port.Published, port.Protocol, node.Name),
			do: func(s *Snapshot, _ *Request) {
				s.ports = slices.Clone(s.ports)
				s.ports[n] = slices.DeleteFunc(slices.Clone(s.ports[n]), func(q cluster.Port) bool { return taken(port, []cluster.Port{q}) })
			},
		})
	}
	return out
}

func makeRoom(p *plan, n int, j *job) []Change {
	node := p.snap.nodes[n]
	whole := vectorOf(node.Capacity)
	c := Change{Kind: MoreRoom, Node: node.ID}
	var need vector
	for d, amount := range j.demand {
		need[d] = max(amount-p.free[n][d], 0)
		if need[d] > 0 {
			c.what += fmt.Sprint(d)
			c.size += float64(need[d]) * p.snap.per[n][d]
		}
	}
	c.Room = need.resources()
	if c.Text = c.Room.Missing(cluster.Resources{}) + " more on " + node.Name; !j.demand.fits(&whole) {
		c.Kind, c.Text = LargerNode, c.Text+", which is too small even when empty"
	}
	c.do = func(s *Snapshot, _ *Request) {
		s.free = slices.Clone(s.free)
		s.free[n].add(&need)
	}
	return []Change{c}
}

func stay(p *plan, n int, _ *job) []Change {
	node := p.snap.nodes[n]
	return []Change{{
		Kind: Stay, Node: node.ID, Text: fmt.Sprintf("%s without the wish that the task leave it (muster rebalance --cancel)", node.Name),
		do: func(_ *Snapshot, r *Request) { r.Leaves = "" },
	}}
}

// bringDevices has the node's devices free, and those that it lacks there.
func bringDevices(p *plan, n int, j *job) []Change {
	node := p.snap.nodes[n]
	request, short := cluster.ShortDevices(node.Devices, p.usedDevices(n), j.Devices)
	enough := slices.Clone(node.Devices)
	for i := range j.Devices {
		enough = lend(enough, &j.Devices[i])
	}
	return []Change{{
		Kind: MoreDevices, Node: node.ID, what: j.Devices[request].Kind, size: float64(short),
		Text: fmt.Sprintf("devices on %s (%s)", node.Name, j.Devices[request].Short(short)),
		do: func(s *Snapshot, _ *Request) {
			richer := *s.nodes[n]
			richer.Devices = enough
			s.nodes = slices.Clone(s.nodes)
			s.nodes[n] = &richer
			s.devices = maps.Clone(s.devices)
			if s.devices == nil {
				s.devices = map[int][]int64{}
			}
			s.devices[n] = make([]int64, len(enough))
		},
	}}
}

// lend adds what would serve one more request.
func lend(have []cluster.HostDevice, r *cluster.DeviceRequest) []cluster.HostDevice {
	ids := slices.Clone(r.IDs)
	if len(ids) == 0 {
		for i := int64(0); i == 0 || i*cluster.WholeDevice < r.Milli; i++ {
			ids = append(ids, fmt.Sprintf("another %s %d", r.Kind, len(have)+int(i)))
		}
	}
	for _, id := range ids {
		if !slices.ContainsFunc(have, func(d cluster.HostDevice) bool { return d.Kind == r.Kind && d.ID == id }) {
			have = append(have, cluster.HostDevice{Kind: r.Kind, ID: id, Driver: r.Driver})
		}
	}
	return have
}
