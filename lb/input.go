package lb

import (
	"cmp"
	"iter"
	"net/netip"
	"slices"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/network"
)

// Protocols that tables carry.
const (
	TCP = "tcp"
	UDP = "udp"
)

// Input is all that a table is made from. It is plain data, so that a node
// which holds no replicated state builds the same table from a stream.
type Input struct {
	Epoch uint64 `cbor:"1,keyasint" json:"epoch"`
	Index uint64 `cbor:"2,keyasint" json:"index"` // of the state that it was read from
	// Services come oldest first: of two that publish the same port the
	// first one keeps it.
	Services  []ServicePorts `cbor:"3,keyasint,omitempty" json:"services,omitempty"`
	Endpoints []Endpoint     `cbor:"4,keyasint,omitempty" json:"endpoints,omitempty"`
	// Down names the nodes whose hosts are dead: connections to them are over.
	Down []cluster.NodeID `cbor:"5,keyasint,omitempty" json:"down,omitempty"`
	// Weights are what the leader measured, for the policy weighted. They come by
	// another way than the rest: Weighed grows whenever there are others.
	Weights []cluster.NodeWeight `cbor:"6,keyasint,omitempty" json:"weights,omitempty"`
	Weighed uint64               `cbor:"7,keyasint,omitempty" json:"weighed,omitempty"`
	// Network is all that the networks across hosts are made from.
	Network network.Input `cbor:"8,keyasint,omitzero" json:"network,omitzero"`
}

// ServicePorts are the ports that a service publishes on every node, and how
// their connections are dealt out.
type ServicePorts struct {
	Service cluster.ServiceID `cbor:"1,keyasint" json:"service"`
	Ports   []Port            `cbor:"2,keyasint" json:"ports"`
	Balance cluster.Balance   `cbor:"3,keyasint,omitzero" json:"balance,omitzero"`
}

// Port is a published port.
type Port struct {
	Protocol string `cbor:"1,keyasint" json:"protocol"`
	Number   uint16 `cbor:"2,keyasint" json:"number"`
}

// Endpoint is a ready task behind one published port.
type Endpoint struct {
	Service cluster.ServiceID `cbor:"1,keyasint" json:"service"`
	Port    Port              `cbor:"2,keyasint" json:"port"`
	Task    cluster.TaskID    `cbor:"3,keyasint" json:"task"`
	Node    cluster.NodeID    `cbor:"4,keyasint" json:"node"`
	Address netip.AddrPort    `cbor:"5,keyasint" json:"address"` // where other nodes reach it
	// Target is the port in the task's container; 0: an older node made the input.
	Target uint16 `cbor:"6,keyasint,omitempty" json:"target,omitempty"`
	// Checked: a check has found the task ready. Another may run and not listen yet,
	// so that somebody has to try the next one where it refuses.
	Checked bool `cbor:"7,keyasint,omitempty" json:"checked,omitempty"`
}

// View is what FromView reads of the replicated state; state.View has it.
type View interface {
	Epoch() uint64
	Index() uint64
	network.View
}

// FromView reads the input of the table at the view's index. A task counts
// while it is wanted, ready and on a host that is not dead, whichever its
// generation: during an update old and new tasks share the traffic. A node that
// is away keeps its tasks. Services that are being removed publish nothing.
func FromView(v View) Input {
	in := Input{Epoch: v.Epoch(), Index: v.Index()}
	in.Network = network.FromView(v)
	alive := map[cluster.NodeID]bool{}
	for n := range v.Nodes() {
		if n.Condition == cluster.Down {
			in.Down = append(in.Down, n.ID)
		} else {
			alive[n.ID] = true
		}
	}
	services := byAge(v.Services())
	for _, s := range services {
		ports := ingressPorts(s.Spec.Template.Ports)
		if len(ports) == 0 {
			continue
		}
		in.Services = append(in.Services, ServicePorts{Service: s.ID, Ports: ports, Balance: s.Spec.Balance})
		behind := redirected(s, services)
		for t := range v.TasksOf(behind.ID) {
			if alive[t.Node] && t.Desired == cluster.Running && t.Ready() {
				in.Endpoints = appendEndpoints(in.Endpoints, s, behind, t)
			}
		}
	}
	return in
}

// byAge lists the services that are not being removed, oldest first.
func byAge(all iter.Seq[*cluster.Service]) []*cluster.Service {
	var out []*cluster.Service
	for s := range all {
		if !s.Removing {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b *cluster.Service) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	return out
}

func ingressPorts(ports []cluster.Port) []Port {
	var out []Port
	for _, p := range ports {
		if served(p) {
			out = append(out, Port{Protocol: p.Protocol, Number: p.Published})
		}
	}
	return out
}

func served(p cluster.Port) bool {
	return p.Mode == cluster.Ingress && (p.Protocol == TCP || p.Protocol == UDP) && p.Published != 0
}

// redirected is the service whose tasks get what comes to s.
func redirected(s *cluster.Service, all []*cluster.Service) *cluster.Service {
	if s.Redirect != "" {
		for _, to := range all {
			if to.ID == s.Redirect {
				return to
			}
		}
	}
	return s
}

// appendEndpoints adds one endpoint for each port of s that the task of the
// service behind it serves and the engine has bound on the task's host.
func appendEndpoints(out []Endpoint, s, behind *cluster.Service, t *cluster.Task) []Endpoint {
	host, err := netip.ParseAddr(t.Observed.Address)
	if err != nil {
		return out // the agent has not told where the task is
	}
	for p, target := range portsTo(s, behind, t) {
		i := slices.IndexFunc(t.Observed.Ports, func(b cluster.PortBinding) bool {
			return b.Target == target && b.Protocol == p.Protocol && b.Host != 0
		})
		if i < 0 {
			continue
		}
		out = append(out, Endpoint{
			Service: s.ID,
			Port:    p,
			Task:    t.ID,
			Node:    t.Node,
			Address: netip.AddrPortFrom(host.Unmap(), t.Observed.Ports[i].Host),
			Target:  target,
			Checked: t.Observed.Health == cluster.HealthHealthy,
		})
	}
	return out
}

// portsTo yields the published ports of s that lead to the task, each with the
// task's own: those that its generation publishes, or of a redirected service all
// for which its generation has a port. A generation that is no longer kept is
// taken to be as the current one.
func portsTo(s, behind *cluster.Service, t *cluster.Task) iter.Seq2[Port, uint16] {
	tmpl, ok := behind.Template(t.Generation)
	if !ok {
		tmpl = behind.Spec.Template
	}
	ports, to := tmpl.Ports, func(p cluster.Port) (cluster.Port, bool) { return p, true }
	if behind != s {
		ports, to = s.Spec.Template.Ports, tmpl.RedirectPort
	}
	return func(yield func(Port, uint16) bool) {
		for _, p := range ports {
			if !served(p) {
				continue
			}
			if q, ok := to(p); ok && !yield(Port{Protocol: p.Protocol, Number: p.Published}, q.Target) {
				return
			}
		}
	}
}
