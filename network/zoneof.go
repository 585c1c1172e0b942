package network

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/musterhq/muster/cluster"
)

// ZoneOf makes the names that the containers of a host see. virtual: services' own
// addresses are in effect on this host, so that a service's name stands for that where
// the asker has a route to it, whether or not a task is ready. Else the name stands
// for the tasks that are.
func ZoneOf(in Input, self cluster.NodeID, virtual bool) *Zone {
	z := &Zone{
		pool:  in.Pool,
		tasks: map[netip.Addr]*asker{}, gateways: map[netip.Addr]*asker{}, owners: map[netip.Addr]owner{},
		known: map[serviceName]bool{}, knownNames: map[string]bool{},
	}
	for i := range in.Networks {
		z.subnets = append(z.subnets, in.Networks[i].Subnet)
	}
	local, at := in.local(self)
	all := make([]*names, len(local))
	for i, n := range local {
		all[i] = &names{id: n.ID, byName: map[nameKey]*record{}}
		z.gateways[n.Gateway()] = &asker{stack: n.ID.Stack(), networks: all[i : i+1], routed: routed(n)}
	}
	b := zoneBuilder{zone: z, virtual: virtual, local: local, at: at, names: all, tasks: in.tasksIn(at)}
	for i := range in.Services {
		s := &in.Services[i]
		z.known[serviceName{s.ID.Name(), s.ID.Stack()}] = true
		z.knownNames[s.ID.Name()] = true
		b.add(s)
	}
	for i := range in.Tasks {
		if t := &in.Tasks[i]; t.Node == self {
			b.ask(t)
		}
	}
	for _, n := range all {
		for _, r := range n.byName {
			r.settle()
		}
	}
	return z
}

// tasksIn are the tasks that have an address in one of the networks, by service.
func (in *Input) tasksIn(networks map[cluster.NetworkID]int) map[cluster.ServiceID][]*Task {
	out := map[cluster.ServiceID][]*Task{}
	for i := range in.Tasks {
		t := &in.Tasks[i]
		if slices.ContainsFunc(t.Addresses, func(a cluster.TaskAddress) bool { _, ok := networks[a.Network]; return ok }) {
			out[t.Service] = append(out[t.Service], t)
		}
	}
	return out
}

// routed is 1 for a network that may be the way of its containers to the world.
func routed(n *cluster.Network) int {
	if n.Internal {
		return 0
	}
	return 1
}

type zoneBuilder struct {
	zone    *Zone
	virtual bool
	local   []*cluster.Network
	at      map[cluster.NetworkID]int
	names   []*names
	tasks   map[cluster.ServiceID][]*Task
}

// ask makes a task of this host known as one who asks.
func (b *zoneBuilder) ask(t *Task) {
	who := &asker{stack: t.Service.Stack()}
	for _, a := range t.Addresses {
		i, ok := b.at[a.Network]
		switch {
		case !ok:
		case who.routed == 0 && routed(b.local[i]) == 1:
			who.networks, who.routed = slices.Insert(who.networks, 0, b.names[i]), 1
		default:
			who.networks = append(who.networks, b.names[i])
		}
	}
	for _, a := range t.Addresses {
		b.zone.tasks[a.Address] = who
	}
}

// add gives the service's names to its networks.
func (b *zoneBuilder) add(s *Service) {
	full := s.ID.Name() + "." + s.ID.Stack()
	for _, link := range s.Links {
		i, local := b.at[link.Network]
		if !local {
			continue
		}
		n := b.names[i]
		in := &served{name: full, ports: s.Ports}
		ready, hostnames := b.addTasks(in, s, link.Network)
		virtual := ready
		if b.virtual && s.Address.IsValid() {
			virtual = []netip.Addr{s.Address}
			b.own(s.Address, full, link.Network)
		}
		taken := map[string]bool{s.ID.Name(): true}
		n.add(s.ID, s.ID.Name(), in, ready, virtual)
		n.add(s.ID, tasksOf+s.ID.Name(), in, ready, ready)
		n.put(nameKey{name: full}, in, ready, virtual)
		n.put(nameKey{name: tasksOf + full}, in, ready, ready)
		for _, alias := range link.Aliases {
			if alias = strings.ToLower(alias); !taken[alias] {
				taken[alias] = true
				n.add(s.ID, alias, in, ready, virtual)
			}
		}
		for name, at := range hostnames {
			if !taken[name] {
				n.add(s.ID, name, nil, at, at)
			}
		}
	}
}

// addTasks fills in the service's tasks in one network. It returns the addresses of
// those that are ready, all of them and by the hostnames that users gave.
func (b *zoneBuilder) addTasks(in *served, s *Service, network cluster.NetworkID) (ready []netip.Addr, hostnames map[string][]netip.Addr) {
	hostnames = map[string][]netip.Addr{}
	for _, t := range b.tasks[s.ID] {
		for _, a := range t.Addresses {
			if a.Network != network {
				continue
			}
			in.tasks = append(in.tasks, servedTask{id: strings.ToLower(string(t.ID)), address: a.Address, ready: t.Ready})
			b.own(a.Address, in.name, network)
			var own []netip.Addr
			if t.Ready {
				own = []netip.Addr{a.Address}
			}
			ready = append(ready, own...)
			if t.Hostname != "" {
				host := strings.ToLower(t.Hostname)
				hostnames[host] = append(hostnames[host], own...)
			}
		}
	}
	slices.SortFunc(in.tasks, func(a, b servedTask) int { return strings.Compare(a.id, b.id) })
	return ready, hostnames
}

func (b *zoneBuilder) own(address netip.Addr, name string, network cluster.NetworkID) {
	o := b.zone.owners[address]
	o.name = name
	o.networks = append(o.networks, network)
	b.zone.owners[address] = o
}

// add gives a name to the services of the same stack, and to those of others, for
// which it stands for all that have it.
func (n *names) add(s cluster.ServiceID, name string, in *served, ready, virtual []netip.Addr) {
	n.put(nameKey{name, s.Stack()}, in, ready, virtual)
	n.put(nameKey{name: name}, in, ready, virtual)
}

func (n *names) put(key nameKey, in *served, ready, virtual []netip.Addr) {
	r := n.byName[key]
	if r == nil {
		r = &record{}
		n.byName[key] = r
	}
	r.addresses = append(r.addresses, ready...)
	r.virtual = append(r.virtual, virtual...)
	if in != nil {
		r.services = append(r.services, in)
	}
}

// settle puts what the record has in order.
func (r *record) settle() {
	for _, all := range []*[]netip.Addr{&r.addresses, &r.virtual} {
		slices.SortFunc(*all, netip.Addr.Compare)
		*all = slices.Compact(*all)
	}
	slices.SortFunc(r.services, func(a, b *served) int { return strings.Compare(a.name, b.name) })
	r.services = slices.Compact(r.services)
}
