package network

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/musterhq/muster/cluster"
)

// Zone is the names of services and tasks as the containers of one host see them.
// It is immutable; readers share it.
//
// Who asks is told from the source address: a task sees the names of all its
// networks, those of its own stack before those of others, and of several networks
// the first that has a name says what it stands for. Anybody else, such as an engine
// that asks for its containers, sees those of the network whose gateway was asked, as
// the stack of the network does.
type Zone struct {
	pool     netip.Prefix
	subnets  []netip.Prefix // of all networks; some may be outside of the pool
	tasks    map[netip.Addr]*asker
	gateways map[netip.Addr]*asker
	owners   map[netip.Addr]owner
	// known are all services of the cluster that are in a network, and knownNames
	// their names without the stacks'. They tell a name that the asker may not see
	// from one that is none of ours.
	known      map[serviceName]bool
	knownNames map[string]bool
}

// asker is who asks: the stack whose services come first, and the networks.
type asker struct {
	stack    string
	networks []*names
	// routed is how many of the networks, from the first one on, the asker's default
	// route leads into: one or none. A service's own address is of no network's
	// subnet, so it is reached on that way alone.
	routed int
}

// names are those of one network.
type names struct {
	id     cluster.NetworkID
	byName map[nameKey]*record
}

// nameKey is a name as services of a stack see it; of the stack "": as others do.
type nameKey struct{ name, stack string }

type serviceName struct{ name, stack string }

// record is what a name stands for.
type record struct {
	addresses []netip.Addr // of tasks that are ready
	virtual   []netip.Addr // the same with services' own addresses, where they have one
	services  []*served    // whose name or alias it is
}

// served is a service in one network.
type served struct {
	name  string // "web.shop"
	ports []Port
	tasks []servedTask // by ID, those that are not ready included
}

type servedTask struct {
	id      string // lower case
	address netip.Addr
	ready   bool
}

// owner is who has an address.
type owner struct {
	name     string // "web.shop"
	networks []cluster.NetworkID
}

// Kind is what a name is.
type Kind uint8

// Kinds of names.
const (
	Foreign Kind = iota // none of ours: others may know it
	Absent              // it would be ours, but there is none that the asker may see
	Present             // it is there, perhaps with no address at the moment
)

// Answer is what a name stands for. Its slices are the zone's: they are not to be
// changed.
type Answer struct {
	Kind      Kind
	Addresses []netip.Addr // by address; who asks gets them in an order of chance
	Targets   []Target     // of a name such as _80._tcp.web, by name
	Name      string       // of an address: "web.shop"
}

// Target is one task that listens on a port.
type Target struct {
	Name    string // of the task alone, without a dot at its end
	Port    uint16
	Address netip.Addr
}

// Inside reports whether the address is of the cluster's own ranges.
func (z *Zone) Inside(a netip.Addr) bool {
	return z.pool.Contains(a) || slices.ContainsFunc(z.subnets, func(p netip.Prefix) bool { return p.Contains(a) })
}

// Lookup says what a name stands for, to who asks from an address at a gateway.
// Upper case and a dot at the end make no difference.
func (z *Zone) Lookup(from, gateway netip.Addr, name string) Answer {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	who := z.tasks[from]
	if who == nil {
		who = z.gateways[gateway]
	}
	if strings.HasSuffix(name, reverse) {
		return z.pointer(who, name)
	}
	a := who.find(name)
	if port, protocol, rest, ok := cutPort(name); ok {
		a = who.targets(rest, protocol, port)
	}
	if a.Kind != Present && z.ours(name) {
		a.Kind = Absent
	}
	return a
}

// ours reports whether a name that the asker does not see is never to leave the
// host: one without a dot, and those made of a service that there is.
func (z *Zone) ours(name string) bool {
	if !strings.Contains(name, ".") {
		return name != ""
	}
	_, _, name, _ = cutPort(name)
	if z.service(name) {
		return true
	}
	if of, ok := strings.CutPrefix(name, tasksOf); ok {
		return z.service(of)
	}
	task, of, ok := strings.Cut(name, "."+tasksOf)
	return ok && !strings.Contains(task, ".") && z.service(of)
}

// service reports whether the name is one of a service, with or without a stack.
func (z *Zone) service(name string) bool {
	service, stack, dotted := strings.Cut(name, ".")
	if !dotted {
		return z.knownNames[service]
	}
	return z.known[serviceName{service, stack}]
}
