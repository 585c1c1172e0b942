package network

import (
	"cmp"
	"iter"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/musterhq/muster/cluster"
)

// View is what FromView reads of the replicated state; state.View has it.
type View interface {
	Settings() cluster.Settings
	Nodes() iter.Seq[*cluster.Node]
	Networks() iter.Seq[*cluster.Network]
	Services() iter.Seq[*cluster.Service]
	TasksOf(cluster.ServiceID) iter.Seq[*cluster.Task]
}

// FromView reads what the networks of all hosts are made from. A service that is
// being removed has no names any more; its tasks keep their addresses as long as
// they may have a container. A redirected service keeps its own tasks here: only
// what it publishes leads elsewhere.
func FromView(v View) Input {
	s := v.Settings()
	in := Input{Pool: s.Pool().Prefix, Encrypt: s.Encrypt != cluster.EncryptOff}
	alive := map[cluster.NodeID]bool{}
	for n := range v.Nodes() {
		in.Hosts = append(in.Hosts, hostOf(n))
		alive[n.ID] = n.Condition != cluster.Down
	}
	for n := range v.Networks() {
		in.Networks = append(in.Networks, hostsPart(n))
	}
	for s := range v.Services() {
		if !networked(s) {
			continue
		}
		used := map[uint64]bool{s.Generation: true}
		for t := range v.TasksOf(s.ID) {
			if !t.Holds() {
				continue
			}
			used[t.Generation] = true
			if len(t.Addresses) > 0 {
				in.Tasks = append(in.Tasks, taskOf(s, t, alive[t.Node]))
			}
		}
		if !s.Removing {
			in.Services = append(in.Services, serviceOf(s, used))
		}
	}
	in.sort()
	return in
}

func (in *Input) sort() {
	slices.SortFunc(in.Hosts, func(a, b Host) int { return cmp.Compare(a.Node, b.Node) })
	slices.SortFunc(in.Networks, func(a, b cluster.Network) int { return cmp.Compare(a.Number, b.Number) })
	slices.SortFunc(in.Services, func(a, b Service) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(in.Tasks, func(a, b Task) int { return cmp.Compare(a.ID, b.ID) })
}

func hostOf(n *cluster.Node) Host {
	h := Host{
		Node: n.ID, Name: n.Name, Number: n.Number, Key: n.NetworkKey, Port: n.NetworkPort,
		Down: n.Condition == cluster.Down,
	}
	if a, err := netip.ParseAddr(n.Address); err == nil {
		h.Address = a.Unmap()
	}
	return h
}

// hostsPart is a network without what only the giver of addresses keeps, so that an
// address which was given and never used changes nothing on hosts.
func hostsPart(n *cluster.Network) cluster.Network {
	out := *n
	out.Created, out.Last = time.Time{}, netip.Addr{}
	return out
}

// networked reports whether a generation of the service that is kept is in a
// network.
func networked(s *cluster.Service) bool {
	return len(s.Spec.Template.Networks) > 0 ||
		slices.ContainsFunc(s.History, func(g cluster.Generation) bool { return len(g.Template.Networks) > 0 })
}

func taskOf(s *cluster.Service, t *cluster.Task, alive bool) Task {
	tmpl := template(s, t.Generation)
	return Task{
		ID: t.ID, Service: t.Service, Slot: t.Slot, Node: t.Node, Addresses: t.Addresses,
		Ready:    alive && t.Desired == cluster.Running && t.Ready(),
		Hostname: tmpl.Container.Hostname,
	}
}

// template is a generation's; one that is no longer kept is taken to be as the
// current one.
func template(s *cluster.Service, generation uint64) *cluster.Template {
	for i := range s.History {
		if s.History[i].Number == generation && generation != s.Generation {
			return &s.History[i].Template
		}
	}
	return &s.Spec.Template
}

// serviceOf joins what the generations say that are in use: during an update a
// service is in the networks, and has the aliases and ports, of the old tasks and of
// the new ones.
func serviceOf(s *cluster.Service, generations map[uint64]bool) Service {
	aliases := map[cluster.NetworkID][]string{}
	var ports []Port
	for g := range generations {
		tmpl := template(s, g)
		for _, l := range tmpl.Networks {
			aliases[l.Network] = append(aliases[l.Network], l.Aliases...)
		}
		for _, p := range tmpl.Ports {
			ports = append(ports, Port{Protocol: p.Protocol, Number: p.Target})
		}
	}
	slices.SortFunc(ports, Port.compare)
	out := Service{ID: s.ID, Address: s.Address, Ports: slices.Compact(ports)}
	for _, id := range slices.Sorted(maps.Keys(aliases)) {
		names := aliases[id]
		slices.Sort(names)
		out.Links = append(out.Links, cluster.NetworkLink{Network: id, Aliases: slices.Compact(names)})
	}
	return out
}

func (p Port) compare(o Port) int {
	return cmp.Or(cmp.Compare(p.Protocol, o.Protocol), cmp.Compare(p.Number, o.Number))
}
