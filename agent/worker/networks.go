package worker

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

// NetworkName is the name of a stack's bridge on this host, for tasks that are in
// no network across hosts.
func NetworkName(stack string) string { return "muster-" + stack }

// SpanName is the engine's name for its part of a network across hosts:
// muster-STACK-NETWORK-NUMBER. The number alone tells it from all others, whatever
// hyphens are in the names; these are for people, and what engines or DNS do not
// take in them is replaced.
func SpanName(n *cluster.Network) string {
	plain := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(n.ID.Stack()+"-"+n.ID.Name()))
	return fmt.Sprintf("muster-%s-%d", plain, n.Number)
}

// networks are those that the task's container joins, and whom it asks for names:
// its host's bridge in the first of them.
func (h Host) networks(a *Assignment, of []cluster.Network) (out []runtime.Network, dns []netip.Addr) {
	if len(a.Template.Networks) == 0 {
		return []runtime.Network{{
			Name: NetworkName(a.Stack), Labels: h.networkLabels(a.Stack), Aliases: []string{a.Task.Service.Name()},
		}}, nil
	}
	for i := range of {
		n := &of[i]
		address, _ := addressIn(&a.Task, n)
		made := runtime.Network{
			Name: SpanName(n), Labels: h.networkLabels(n.ID.Stack()),
			Bridge: n.Bridge(), Subnet: n.Subnet, Gateway: n.Gateway(), Internal: n.Internal,
			Address: address, MAC: cluster.MAC(address),
		}
		if h.MTU != nil {
			made.MTU = h.MTU()
		}
		out = append(out, made)
	}
	return out, []netip.Addr{of[0].Gateway()}
}

func (h Host) networkLabels(stack string) map[string]string {
	return map[string]string{runtime.LabelCluster: h.ClusterID, runtime.LabelStack: stack}
}

// addressIn is the task's address in a network; false where it has none that a
// container can have there.
func addressIn(t *cluster.Task, n *cluster.Network) (netip.Addr, bool) {
	for _, a := range t.Addresses {
		if a.Network == n.ID {
			return a.Address, a.Address.Is4() && n.Subnet.Contains(a.Address)
		}
	}
	return netip.Addr{}, false
}

// networksOf are the task's networks in the order of its links, and what is
// missing of them; "" when the task can be made.
func (s *Set) networksOf(a *Assignment) (out []cluster.Network, missing string) {
	if a.Template.Container.NetworkMode != "" {
		return nil, ""
	}
	for _, l := range a.Template.Networks {
		i := slices.IndexFunc(s.Networks, func(n cluster.Network) bool { return n.ID == l.Network })
		if i < 0 {
			return nil, fmt.Sprintf("the cluster has not said yet what network %s is", l.Network)
		}
		if _, ok := addressIn(&a.Task, &s.Networks[i]); !ok {
			return nil, fmt.Sprintf("the cluster has not given the task an address in network %s yet", l.Network)
		}
		out = append(out, s.Networks[i])
	}
	return out, ""
}

// networkNames are the engine's names of the networks that the set needs here.
func (s *Set) networkNames() map[string]bool {
	out := map[string]bool{}
	for i := range s.Assignments {
		if len(s.Assignments[i].Template.Networks) == 0 {
			out[NetworkName(s.Assignments[i].Stack)] = true
		}
	}
	for i := range s.Networks {
		out[SpanName(&s.Networks[i])] = true
	}
	return out
}
