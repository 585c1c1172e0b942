package server

import (
	"cmp"
	"slices"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

func listNetworks(c *call) (any, error) {
	p := c.present()
	users := networkUsers(p.view)
	out := []api.Network{}
	for n := range p.view.Networks() {
		out = append(out, p.network(n, users[n.ID]))
	}
	return out, nil
}

// networkUsers are the services in each network, by ID.
func networkUsers(v state.View) map[cluster.NetworkID][]string {
	out := map[cluster.NetworkID][]string{}
	for s := range v.Services() {
		for _, id := range s.Networks() {
			out[id] = append(out[id], string(s.ID))
		}
	}
	return out
}

func (p presenter) network(n *cluster.Network, users []string) api.Network {
	held := p.view.AddressesHeld(n.ID)
	return api.Network{
		ID: string(n.ID), Stack: n.ID.Stack(), Number: n.Number, Subnet: n.Subnet.String(), Gateway: n.Gateway().String(),
		Shared: n.Shared, Internal: n.Internal, Undeclared: n.Undeclared, Services: append([]string{}, users...), Tasks: held, Free: n.Size() - held,
	}
}

func getNetwork(c *call) (any, error) {
	p := c.present()
	id := cluster.NewNetworkID(c.r.PathValue("stack"), c.r.PathValue("network"))
	n, ok := p.view.Network(id)
	if !ok {
		return nil, api.Errorf(api.CodeNotFound, "there is no network %s", id).WithHint("`muster network ls` lists them")
	}
	out := api.NetworkDetail{
		Network: p.network(n, networkUsers(p.view)[id]), Created: n.Created,
		Members: []api.NetworkMember{}, Addresses: []api.NetworkAddress{},
	}
	for _, user := range out.Services {
		s, ok := p.view.Service(cluster.ServiceID(user))
		if !ok {
			continue
		}
		out.Members = append(out.Members, member(s, id))
		for t := range p.view.TasksOf(s.ID) {
			out.Addresses = append(out.Addresses, p.addressesIn(t, id)...)
		}
	}
	slices.SortFunc(out.Addresses, func(a, b api.NetworkAddress) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Slot, b.Slot), cmp.Compare(a.Task, b.Task))
	})
	return out, nil
}

func member(s *cluster.Service, id cluster.NetworkID) api.NetworkMember {
	out := api.NetworkMember{Service: string(s.ID)}
	if s.Address.IsValid() {
		out.Address = s.Address.String()
	}
	for _, l := range s.Spec.Template.Networks {
		if l.Network == id {
			out.Aliases = l.Aliases
		}
	}
	return out
}

func (p presenter) addressesIn(t *cluster.Task, id cluster.NetworkID) []api.NetworkAddress {
	var out []api.NetworkAddress
	for _, a := range t.Addresses {
		if a.Network == id {
			shown := p.task(t)
			out = append(out, api.NetworkAddress{Address: a.Address.String(), Task: shown.ID, Service: shown.Service, Slot: shown.Slot, Node: shown.Node})
		}
	}
	return out
}

// withoutNetworks is a deploy as clusters knew it that had no networks: a voter
// that is older does not hold it up. The next deploy after its upgrade brings them.
func (c *call) withoutNetworks(put state.PutStack) state.PutStack {
	v, _ := c.State.View()
	if version, _ := v.Commands(); version >= state.NetworksSince {
		return put
	}
	put.Networks, put.Services = nil, slices.Clone(put.Services)
	for i := range put.Services {
		put.Services[i].Spec.Template.Networks = nil
	}
	return put
}
