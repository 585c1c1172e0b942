package state

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/musterhq/muster/cluster"
)

// putNetworks makes the networks that a stack declares, and has go those that it
// declares no more. Its services are as they were yet.
func (tx *tx) putNetworks(c PutStack) error {
	specs := map[string]cluster.ServiceSpec{}
	for _, s := range c.Services {
		specs[s.Name] = s.Spec
	}
	if err := cluster.ValidateStackNetworks(c.Stack, c.Networks, specs); err != nil {
		return err
	}
	declared := map[cluster.NetworkID]bool{}
	for _, wishes := range []bool{true, false} { // who wants a subnet comes first, so that no other takes it
		for _, spec := range c.Networks {
			if spec.Subnet.IsValid() != wishes {
				continue
			}
			id := cluster.NewNetworkID(c.Stack, spec.Name)
			declared[id] = true
			if err := tx.putNetwork(id, spec); err != nil {
				return err
			}
		}
	}
	for _, n := range tx.networks.all(c.Stack + "/") {
		if !declared[n.ID] && !n.Undeclared {
			if err := tx.undeclare(n); err != nil {
				return err
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(specs)) {
		spec := specs[name]
		if err := tx.refuseLinks(cluster.NewServiceID(c.Stack, name), &spec.Template); err != nil {
			return err
		}
	}
	return nil
}

// putNetwork makes a network, or changes the one that is there.
func (tx *tx) putNetwork(id cluster.NetworkID, spec cluster.NetworkSpec) error {
	old, ok := tx.networks.get(string(id))
	if !ok {
		return tx.makeNetwork(id, spec)
	}
	n := *old
	n.Shared, n.Internal, n.Undeclared = spec.Shared, spec.Internal, false
	if spec.Subnet.IsValid() && spec.Subnet != old.Subnet {
		if err := tx.refuseOverlap(id, spec.Subnet); err != nil {
			return err
		}
		n.Subnet, n.Last = spec.Subnet, cluster.Network{}.Last
	}
	if n == *old {
		return nil
	}
	if guests := tx.guests(id); !n.Shared && len(guests) > 0 {
		return &Error{CodeConflict, fmt.Sprintf("networks.%s: it is to be shared no more, and services of other stacks are in it: %s; take them out of it first", id.Name(), some(guests))}
	}
	if (n.Internal != old.Internal || n.Subnet != old.Subnet) && tx.occupied(id) {
		return &Error{CodeConflict, fmt.Sprintf("networks.%s: neither its subnet nor whether it is internal can change while tasks are in it; declare another network in its place, under another name", id.Name())}
	}
	tx.changeNetwork(&n, "changed", describe(&n))
	return nil
}

func (tx *tx) makeNetwork(id cluster.NetworkID, spec cluster.NetworkSpec) (err error) {
	subnet := spec.Subnet
	if subnet.IsValid() {
		err = tx.refuseOverlap(id, subnet)
	} else {
		subnet, err = tx.freeSubnet(id)
	}
	if err != nil {
		return err
	}
	n := cluster.Network{ID: id, Number: tx.freeNetworkNumber(), Subnet: subnet, Shared: spec.Shared, Internal: spec.Internal, Created: tx.now}
	tx.changeNetwork(&n, "created", describe(&n))
	return nil
}

func (tx *tx) freeNetworkNumber() uint32 {
	taken := map[uint32]bool{}
	for _, n := range tx.networks.all("") {
		taken[n.Number] = true
	}
	number := uint32(1)
	for taken[number] {
		number++
	}
	return number
}

// undeclare has a network go, unless others are in it who do not know.
func (tx *tx) undeclare(old *cluster.Network) error {
	if guests := tx.guests(old.ID); len(guests) > 0 {
		return &Error{CodeConflict, fmt.Sprintf("networks: %s is not declared any more, and services of other stacks are in it: %s; take them out of it first, or declare it", old.ID.Name(), some(guests))}
	}
	n := *old
	n.Undeclared = true
	tx.networks.put(string(n.ID), &n)
	tx.networksChanged = true
	return nil
}

// guests are the services of other stacks that are in the network.
func (tx *tx) guests(id cluster.NetworkID) []string {
	var out []string
	for _, s := range tx.services.all("") {
		if s.ID.Stack() != id.Stack() && !s.Removing && links(&s.Spec.Template, id) {
			out = append(out, string(s.ID))
		}
	}
	return out
}

// refuseLinks refuses a template whose networks are not there for the service.
func (tx *tx) refuseLinks(id cluster.ServiceID, t *cluster.Template) error {
	for _, l := range t.Networks {
		n, ok := tx.networks.get(string(l.Network))
		switch {
		case !ok:
			return &Error{CodeConflict, fmt.Sprintf("services.%s.networks: there is no network %s; deploy the stack that has it first; `muster network ls` lists those that there are", id.Name(), l.Network)}
		case !n.Admits(id.Stack()):
			return &Error{CodeConflict, fmt.Sprintf("services.%s.networks: network %s is not shared with other stacks; set x-muster.shared: true on it in stack %s, and deploy that; `muster network ls` lists the networks", id.Name(), n.ID, n.ID.Stack())}
		}
	}
	return nil
}

// endNetworks drops those that nobody declares and nobody is in any more, after
// services or networks have changed.
func (tx *tx) endNetworks() {
	if !tx.servicesChanged && !tx.networksChanged {
		return
	}
	for _, old := range tx.networks.all("") {
		loose := old.Undeclared || !tx.services.any(old.ID.Stack()+"/")
		if !loose {
			continue
		}
		users := tx.networkUsers(old.ID)
		if len(users) == 0 {
			tx.networks.del(string(old.ID))
			tx.changed(TopicNetwork, string(old.ID), "")
			tx.event(networkEvent(old.ID, "removed", describe(old)))
			continue
		}
		if was, ok := tx.base.Network(old.ID); ok && !was.Undeclared {
			n := *old
			n.Undeclared = true
			tx.changeNetwork(&n, "kept", "its stack has it no more; it goes with the last generation of a service that is in it: "+some(users))
		}
	}
}

func (tx *tx) networkUsers(id cluster.NetworkID) []string {
	var out []string
	for _, s := range tx.services.all("") {
		if slices.Contains(s.Networks(), id) {
			out = append(out, string(s.ID))
		}
	}
	return out
}

func (tx *tx) changeNetwork(n *cluster.Network, action, message string) {
	tx.networks.put(string(n.ID), n)
	tx.networksChanged = true
	tx.changed(TopicNetwork, string(n.ID), "")
	tx.event(networkEvent(n.ID, action, message))
}

func networkEvent(id cluster.NetworkID, action, message string) Event {
	return Event{Type: "network", Action: action, Object: string(id), Message: message}
}

// describe is a network in a few words.
func describe(n *cluster.Network) string {
	out := "subnet " + n.Subnet.String()
	if n.Shared {
		out += ", shared"
	}
	if n.Internal {
		out += ", internal"
	}
	return out
}

// some is a list for people that does not get long.
func some(names []string) string {
	const most = 5
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
