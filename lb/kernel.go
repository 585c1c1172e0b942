package lb

import (
	"net/netip"
	"slices"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/network"
)

// KernelPorts are the published ports of which the kernel of a node serves what
// comes from other hosts, by port: those that have tasks there, and whose balance
// asks for nothing but chance. It takes the share of the node's own tasks; whoever
// listens on the port deals the rest out among the others. container tells a
// task's address on its host, the zero one where it has none.
func KernelPorts(t *Table, self cluster.NodeID, container func(cluster.TaskID) netip.Addr) []network.PublishedPort {
	var out []network.PublishedPort
	for i := range t.Frontends {
		f := &t.Frontends[i]
		if !plain(f.Balance) {
			continue
		}
		p := network.PublishedPort{Protocol: f.Port.Protocol, Port: f.Port.Number, Of: len(f.Backends)}
		if p.Tasks = f.containers(self, container); len(p.Tasks) == 0 {
			continue
		}
		if f.Balance.Local {
			p.Of = len(p.Tasks)
		}
		out = append(out, p)
	}
	return out
}

// plain reports whether chance deals out as the balance asks: the kernel counts no
// connections, writes no headers and knows nobody's weight.
func plain(b cluster.Balance) bool {
	switch b.Policy {
	case "", cluster.RoundRobin, cluster.Random:
		return b.SlowStart == 0 && b.Connections == 0 && b.ProxyProtocol == "" && !b.Degrade
	}
	return false
}

// containers are the frontend's tasks on the node; none where one of them cannot
// be reached there, because the others would get its share as well, or may not
// listen yet, because the kernel tries no other where one refuses.
func (f *Frontend) containers(self cluster.NodeID, container func(cluster.TaskID) netip.Addr) []netip.AddrPort {
	var out []netip.AddrPort
	for _, b := range f.Backends {
		if !b.Local(self) {
			continue
		}
		a := container(b.Task)
		if !a.Is4() || b.Target == 0 || !b.Checked {
			return nil
		}
		out = append(out, netip.AddrPortFrom(a, b.Target))
	}
	slices.SortFunc(out, netip.AddrPort.Compare)
	return slices.Compact(out)
}
