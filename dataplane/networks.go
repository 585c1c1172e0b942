package dataplane

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/lb"
	"github.com/musterhq/muster/lb/proxy"
	"github.com/musterhq/muster/network"
	"github.com/musterhq/muster/network/dns"
	"github.com/musterhq/muster/network/filter"
	"github.com/musterhq/muster/network/overlay"
)

// Networks is a host's part in the networks across hosts.
type Networks interface {
	// Set goes by a table, built is what its ports are served from. It returns when
	// that is so, or takes too long, with what the kernel takes of the ports.
	Set(t *Table, built *lb.Table) proxy.Kernel
	// Tend looks whether anything has changed that the last table depends on; ok
	// means that the kernel takes something else by now.
	Tend() (k proxy.Kernel, ok bool)
	Problems() []string
	// Handover stops what only one process can do, and returns the TUN device for
	// the next one; nil where there is none. Resume goes on here after all.
	Handover() (*os.File, error)
	Resume()
	// Close ends this process's part; remove: the host's as well.
	Close(remove bool)
}

// settleLimit is how long a table may take until the packet filter goes by it.
const settleLimit = time.Second

// hostNetworks are the real ones.
type hostNetworks struct {
	device *overlay.Device
	names  *dns.Server
	filter *filter.Filter

	mu    sync.Mutex
	table *Table // the last one
	built *lb.Table
	// What was in effect when it was set: the rules, and services' own addresses.
	effective, virtual bool
}

// OpenNetworks begins this host's part: nothing, until there is a table. dir has the
// host's key. tun is of the process before this one, nil: there was none. Where the
// host can have no part, the problems say why.
func OpenNetworks(dir string, tun *os.File, log *slog.Logger) Networks {
	n, err := openNetworks(dir, tun, log)
	if err != nil {
		log.Error("there are no networks across hosts", "error", err)
		return noNetworks{err}
	}
	return n
}

func openNetworks(dir string, tun *os.File, log *slog.Logger) (*hostNetworks, error) {
	key, err := overlay.LoadKey(dir)
	if err != nil {
		return nil, errors.Join(err, closeFile(tun))
	}
	device, err := overlay.New(overlay.Config{Key: key, Tun: tun, Logger: log})
	if err != nil {
		return nil, fmt.Errorf("open the networks across hosts: %w", err)
	}
	return &hostNetworks{device: device, names: dns.New(dns.Config{Logger: log}), filter: filter.New(filter.Config{Logger: log})}, nil
}

func closeFile(f *os.File) error {
	if f == nil {
		return nil
	}
	return f.Close()
}

func (n *hostNetworks) Set(t *Table, built *lb.Table) proxy.Kernel {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.table, n.built = t, built
	return n.set()
}

// set goes by the last table. The names come last: what they lead to is there then.
func (n *hostNetworks) set() proxy.Kernel {
	in, self := n.table.Input.Network, n.table.Node
	device := network.OverlayOf(in, self)
	n.device.Set(device)
	rules := network.RulesOf(in, self)
	if device.Self.IsValid() {
		rules.Published = lb.KernelPorts(n.built, self, containers(in))
	}
	n.filter.Set(rules)
	ctx, cancel := context.WithTimeout(context.Background(), settleLimit)
	defer cancel()
	_ = n.filter.Settle(ctx) // its problems say why it does not
	n.effective, n.virtual = n.filter.Effective(), n.filter.Virtual()
	n.names.Set(network.ZoneOf(in, self, n.virtual), gateways(in, device.Tunnels))
	if !n.effective {
		return proxy.Kernel{}
	}
	return shares(rules)
}

// shares are the ports of which the kernel takes a part, and the proxy the rest.
func shares(r network.Rules) proxy.Kernel {
	k := proxy.Kernel{Ports: map[lb.Port]bool{}, Passing: r.Ranges}
	for _, p := range r.Published {
		if p.Of > len(p.Tasks) {
			k.Ports[lb.Port{Protocol: p.Protocol, Number: p.Port}] = true
		}
	}
	return k
}

// containers finds the address of a task's container.
func containers(in network.Input) func(cluster.TaskID) netip.Addr {
	return func(id cluster.TaskID) netip.Addr {
		i, ok := slices.BinarySearchFunc(in.Tasks, id, func(t network.Task, id cluster.TaskID) int { return cmp.Compare(t.ID, id) })
		if !ok || len(in.Tasks[i].Addresses) == 0 {
			return netip.Addr{}
		}
		return in.Tasks[i].Addresses[0].Address
	}
}

// gateways are those of the networks that this host has tasks in.
func gateways(in network.Input, here []network.Tunnel) []netip.Addr {
	var out []netip.Addr
	for i := range in.Networks {
		n := &in.Networks[i]
		if slices.ContainsFunc(here, func(t network.Tunnel) bool { return t.Network == n.ID }) {
			out = append(out, n.Gateway())
		}
	}
	return out
}

func (n *hostNetworks) Tend() (k proxy.Kernel, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.table == nil || n.virtual == n.filter.Virtual() && n.effective == n.filter.Effective() {
		return proxy.Kernel{}, false
	}
	return n.set(), true
}

func (n *hostNetworks) Problems() []string {
	n.mu.Lock()
	table := n.table
	n.mu.Unlock()
	if table == nil {
		return nil
	}
	out := network.Plain(table.Input.Network, table.Node)
	return slices.Concat(out, n.device.Problems(), n.filter.Problems(), n.names.Problems())
}

func (n *hostNetworks) Handover() (*os.File, error) { return n.device.Handover() }

func (n *hostNetworks) Resume() { n.device.Resume() }

func (n *hostNetworks) Close(remove bool) {
	n.names.Close()
	n.filter.Close(remove)
	n.device.Close(remove)
}

// noNetworks are those of a host that cannot have any.
type noNetworks struct{ why error }

func (noNetworks) Set(*Table, *lb.Table) (k proxy.Kernel) { return k }
func (noNetworks) Tend() (k proxy.Kernel, ok bool)        { return k, false }
func (noNetworks) Handover() (*os.File, error)            { return nil, nil }
func (noNetworks) Resume()                                {}
func (noNetworks) Close(bool)                             {}

func (n noNetworks) Problems() []string {
	return []string{fmt.Sprintf("containers here reach none on other hosts: %v; `systemctl restart muster-dataplane` tries again", n.why)}
}
