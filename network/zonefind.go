package network

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

const (
	// tasksOf is before the name of a service whose tasks' addresses are wanted.
	tasksOf = "tasks."
	reverse = ".in-addr.arpa" // RFC 1035, section 3.5
)

// record is what the name stands for to the asker; nil: nothing. What is of the own
// stack comes first in all networks, so that no other stack takes a name from it.
// routed tells that the asker reaches services' own addresses in that network.
func (a *asker) record(name string) (r *record, routed bool) {
	if a == nil {
		return nil, false
	}
	for _, key := range [...]nameKey{{name, a.stack}, {name, ""}} {
		for i, n := range a.networks {
			if r := n.byName[key]; r != nil {
				return r, i < a.routed
			}
		}
	}
	return nil, false
}

func (a *asker) find(name string) Answer {
	if r, routed := a.record(name); r != nil {
		if routed {
			return Answer{Kind: Present, Addresses: r.virtual}
		}
		return Answer{Kind: Present, Addresses: r.addresses}
	}
	task, of, ok := strings.Cut(name, "."+tasksOf)
	if !ok {
		return Answer{}
	}
	r, _ := a.record(of)
	if r == nil {
		return Answer{}
	}
	for _, s := range r.services {
		i, found := slices.BinarySearchFunc(s.tasks, task, func(t servedTask, id string) int { return strings.Compare(t.id, id) })
		if !found {
			continue
		}
		out := Answer{Kind: Present}
		if t := s.tasks[i]; t.ready {
			out.Addresses = []netip.Addr{t.address}
		}
		return out
	}
	return Answer{}
}

// targets are the ready tasks of the services with that name that listen on the
// port. A service that does not is as if it were not there.
func (a *asker) targets(name, protocol string, port uint16) Answer {
	r, _ := a.record(name)
	if r == nil {
		return Answer{}
	}
	var out Answer
	for _, s := range r.services {
		if !slices.Contains(s.ports, Port{Protocol: protocol, Number: port}) {
			continue
		}
		out.Kind = Present
		for _, t := range s.tasks {
			if t.ready {
				out.Targets = append(out.Targets, Target{Name: t.id + "." + tasksOf + s.name, Port: port, Address: t.address})
			}
		}
	}
	return out
}

// namedPorts are services of IANA's registry (RFC 6335) that containers offer.
var namedPorts = map[string]uint16{
	"amqp": 5672, "domain": 53, "http": 80, "https": 443, "imap": 143, "ldap": 389, "memcache": 11211,
	"mqtt": 1883, "mysql": 3306, "ntp": 123, "postgresql": 5432, "redis": 6379, "smtp": 25, "ssh": 22, "syslog": 514,
}

// cutPort takes the port off a name of RFC 2782: "_80._tcp.web", "_http._tcp.web".
// Where there is none, rest is the name.
func cutPort(name string) (port uint16, protocol, rest string, ok bool) {
	first, behind, _ := strings.Cut(name, ".")
	second, rest, dotted := strings.Cut(behind, ".")
	if !dotted || !strings.HasPrefix(first, "_") || second != "_tcp" && second != "_udp" {
		return 0, "", name, false
	}
	port, named := namedPorts[first[1:]]
	if !named {
		n, err := strconv.ParseUint(first[1:], 10, 16)
		if err != nil {
			n = 0 // a port that nobody has
		}
		port = uint16(n)
	}
	return port, second[1:], rest, true
}

// pointer names who has an address, "2.0.192.10.in-addr.arpa". Those in the
// cluster's ranges are nobody else's.
func (z *Zone) pointer(who *asker, name string) Answer {
	address, ok := reversed(strings.TrimSuffix(name, reverse))
	if !ok || !z.Inside(address) {
		return Answer{Kind: Foreign}
	}
	o, ok := z.owners[address]
	if ok && who != nil {
		for _, n := range who.networks {
			if slices.Contains(o.networks, n.id) {
				return Answer{Kind: Present, Name: o.name}
			}
		}
	}
	return Answer{Kind: Absent}
}

// reversed reads an IPv4 address whose bytes come last to first.
func reversed(text string) (netip.Addr, bool) {
	var b [4]byte
	for i := 3; i >= 0; i-- {
		part, rest, dotted := strings.Cut(text, ".")
		n, err := strconv.ParseUint(part, 10, 8)
		if err != nil || dotted != (i > 0) {
			return netip.Addr{}, false
		}
		b[i], text = byte(n), rest
	}
	return netip.AddrFrom4(b), true
}
