package filter

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/google/nftables"

	"github.com/musterhq/muster/network"
)

// Names of sets and maps.
const (
	bridgesSet  = "bridges"
	gatewaysSet = "gateways"
	loopsSet    = "loops"
	peersSet    = "peers"
	rangesSet   = "ranges"
	selvesSet   = "selves"
	vacantSet   = "vacant"
	servicesMap = "services"
	tasksMap    = "tasks"
	portsMap    = "ports"
	localsMap   = "locals"
)

// Our chains come before those of others at the same hooks: Docker's are at -100
// and 0.
var (
	atPrerouting = hook{"type nat hook prerouting priority -105; policy accept;", nftables.ChainTypeNAT, nftables.ChainHookPrerouting, -105}
	atInput      = hook{"type filter hook input priority -10; policy accept;", nftables.ChainTypeFilter, nftables.ChainHookInput, -10}
	atForward    = hook{"type filter hook forward priority -10; policy accept;", nftables.ChainTypeFilter, nftables.ChainHookForward, -10}
	atEnd        = hook{"type nat hook postrouting priority 95; policy accept;", nftables.ChainTypeNAT, nftables.ChainHookPostrouting, 95}
)

// build makes the ruleset. However many services and ports there are, a packet
// passes the same few rules: what differs is in maps. Of n tasks one is chosen by
// a number below n, and there is one chain for each n.
func build(r network.Rules) ruleset {
	four := table{
		family: nftables.TableFamilyIPv4,
		sets:   append(placeSets(r), targetMaps(r)...),
		chains: []chain{prerouting(), input(r), forward(r), postrouting()},
	}
	four.chains = append(four.chains, choices(r)...)
	out := ruleset{four}
	if six, needed := inputOfIPv6(r); needed {
		out = append(out, six)
	}
	return out
}

// placeSets say what is ours and who belongs where.
func placeSets(r network.Rules) []set {
	bridges, gateways, loops, peers := map[string]string{}, map[string]string{}, map[string]string{}, map[string]string{}
	for _, b := range r.Bridges {
		name := nameBytes(b.Name)
		bridges[key(name)] = ""
		gateways[key(name, b.Gateway.AsSlice())] = ""
		loops[key(name, name)] = ""
	}
	for _, p := range r.Peers {
		if p.Is4() {
			peers[key(p.AsSlice())] = ""
		}
	}
	return []set{
		{name: bridgesSet, key: []field{inputInterface}, elements: bridges},
		{name: gatewaysSet, key: []field{inputInterface, destination}, elements: gateways},
		{name: loopsSet, key: []field{inputInterface, outputInterface}, elements: loops},
		{name: peersSet, key: []field{source}, elements: peers},
		{name: rangesSet, key: []field{destination}, elements: intervals(r.Ranges), interval: true},
	}
}

// targetMaps say where services and published ports lead.
func targetMaps(r network.Rules) []set {
	vacant, services, tasks, selves := map[string]string{}, map[string]string{}, map[string]string{}, map[string]string{}
	for _, s := range r.Services {
		name, address := nameBytes(s.Bridge), s.Address.AsSlice()
		if len(s.Tasks) == 0 {
			vacant[key(name, address)] = ""
			continue
		}
		services[key(name, address)] = oneOf(len(s.Tasks))
		for i, t := range s.Tasks {
			tasks[key(name, address, numberBytes(i))] = key(t.AsSlice())
			selves[key(t.AsSlice(), t.AsSlice())] = ""
		}
	}
	ports, locals := map[string]string{}, map[string]string{}
	for _, p := range r.Published {
		if len(p.Tasks) == 0 {
			continue
		}
		proto, number := protocolBytes(p.Protocol), portBytes(p.Port)
		ports[key(proto, number)] = shareOf(max(p.Of, len(p.Tasks)))
		for i, t := range p.Tasks {
			locals[key(proto, number, numberBytes(i))] = key(t.Addr().AsSlice(), portBytes(t.Port()))
		}
	}
	return []set{
		{name: vacantSet, key: []field{inputInterface, destination}, elements: vacant},
		{name: servicesMap, key: []field{inputInterface, destination}, data: []field{verdict}, elements: services},
		{name: tasksMap, key: []field{inputInterface, destination, number}, data: []field{destination}, elements: tasks},
		{name: selvesSet, key: []field{source, destination}, elements: selves},
		{name: portsMap, key: []field{protocol, port}, data: []field{verdict}, elements: ports},
		{name: localsMap, key: []field{protocol, port, number}, data: []field{destination, port}, elements: locals},
	}
}

func oneOf(n int) string   { return fmt.Sprintf("one-of-%d", n) }
func shareOf(n int) string { return fmt.Sprintf("share-of-%d", n) }

// choices are the chains that choose one of n: of the tasks of a service, or of
// those behind a published port. Of the latter the map names only those on this
// host, so that a packet with another's number goes on as if nothing had been.
func choices(r network.Rules) []chain {
	by := map[string]chain{}
	for _, s := range r.Services {
		if n := len(s.Tasks); n > 0 {
			by[oneOf(n)] = chain{name: oneOf(n), rules: []rule{{sendTo(tasksMap, false, inputInterface, destination, numberBelow(n))}}}
		}
	}
	for _, p := range r.Published {
		if len(p.Tasks) > 0 {
			n := max(p.Of, len(p.Tasks))
			by[shareOf(n)] = chain{name: shareOf(n), rules: []rule{{sendTo(localsMap, true, protocol, port, numberBelow(n))}}}
		}
	}
	return slices.SortedFunc(maps.Values(by), func(a, b chain) int { return cmp.Compare(a.name, b.name) })
}

// prerouting sends new connections on their way. What containers and this host
// itself send to a published port goes to who listens there.
func prerouting() chain {
	return chain{name: "prerouting", hook: &atPrerouting, rules: []rule{
		{jumpBy(servicesMap, inputInterface, destination)},
		{in(bridgesSet, inputInterface), pass},
		{is(inputInterface, nameBytes("lo")), pass},
		{toThisHost(), jumpBy(portsMap, protocol, port)},
	}}
}

// postrouting lets a task that called its own service, and was sent to itself,
// believe that the bridge's address calls: it would not answer itself.
func postrouting() chain {
	return chain{name: "postrouting", hook: &atEnd, rules: []rule{{in(selvesSet, source, destination), masquerade}}}
}

// input guards this host: VXLAN packets come from other hosts alone, and a
// container reaches no address of ours but its own gateway.
func input(r network.Rules) chain {
	return chain{name: "input", hook: &atInput, rules: append(vxlan(r),
		rule{known(), accept},
		rule{in(bridgesSet, inputInterface), in(rangesSet, destination), notIn(gatewaysSet, inputInterface, destination), drop},
	)}
}

func vxlan(r network.Rules) []rule {
	isVXLAN := []statement{is(protocol, protocolBytes("udp")), is(port, portBytes(network.VXLANPort))}
	from := func(s ...statement) rule { return append(append(slices.Clone(isVXLAN), s...), drop) }
	if r.VXLANFrom != "" {
		return []rule{from(isNot(inputInterface, nameBytes(r.VXLANFrom)))}
	}
	return []rule{
		from(is(inputInterface, nameBytes("lo"))),
		from(in(bridgesSet, inputInterface)),
		from(notIn(peersSet, source)),
	}
}

// forward keeps networks apart. What containers send between hosts goes through
// the bridge, not over the interface that carries it: else a container could
// speak VXLAN with another host in this one's name.
func forward(r network.Rules) chain {
	rules := []rule{{known(), accept}}
	if r.VXLANFrom != "" {
		rules = append(rules, rule{is(outputInterface, nameBytes(r.VXLANFrom)), drop})
	} else {
		rules = append(rules, rule{
			is(protocol, protocolBytes("udp")), is(port, portBytes(network.VXLANPort)),
			in(peersSet, destination), notIn(peersSet, source), drop,
		})
	}
	rules = append(rules,
		rule{in(vacantSet, inputInterface, destination), is(protocol, protocolBytes("tcp")), reset},
		rule{in(vacantSet, inputInterface, destination), refuse})
	if r.Virtual.IsValid() {
		rules = append(rules, rule{within(destination, r.Virtual), drop})
	}
	return chain{name: "forward", hook: &atForward, rules: append(rules, rule{
		in(bridgesSet, inputInterface), in(rangesSet, destination), notIn(loopsSet, inputInterface, outputInterface), drop,
	})}
}

// inputOfIPv6 guards VXLAN where hosts speak it over IPv6, which they do only
// where it is not encrypted.
func inputOfIPv6(r network.Rules) (six table, needed bool) {
	peers := map[string]string{}
	for _, p := range r.Peers {
		if p.Is6() {
			peers[key(p.AsSlice())] = ""
		}
	}
	if r.VXLANFrom != "" || len(peers) == 0 {
		return table{}, false
	}
	return table{
		family: nftables.TableFamilyIPv6,
		sets:   []set{{name: peersSet, key: []field{source6}, elements: peers}},
		chains: []chain{{name: "input", hook: &atInput, rules: []rule{
			{is(protocol, protocolBytes("udp")), is(port, portBytes(network.VXLANPort)), notIn(peersSet, source6), drop},
		}}},
	}, true
}

// intervals are ranges as the kernel keeps them: where each begins, and where it
// has ended. They do not overlap.
func intervals(ranges []netip.Prefix) map[string]string {
	type span struct{ from, to uint64 }
	var spans []span
	for _, p := range ranges {
		if p.Addr().Is4() {
			from := uint64(beginOf(p))
			spans = append(spans, span{from, from + 1<<(32-p.Bits())})
		}
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	out := map[string]string{}
	for i := 0; i < len(spans); {
		from, to := spans[i].from, spans[i].to
		for ; i < len(spans) && spans[i].from <= to; i++ {
			to = max(to, spans[i].to)
		}
		out[addressOf(from)] = ""
		if to < 1<<32 {
			out[addressOf(to)] = intervalEnd
		}
	}
	return out
}

// intervalEnd marks the address after an interval's last.
const intervalEnd = "end"
