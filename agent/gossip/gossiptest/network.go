package gossiptest

import (
	"net"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// Latency is how long a packet travels, and a connection takes to open.
const Latency = time.Millisecond

const (
	packetQueue = 1024
	streamQueue = 64
)

type link struct{ from, to string }

// Network connects hosts, named by the address they gossip on ("ip:port").
// Every link works until it is cut. Its methods are safe for concurrent use.
type Network struct {
	mu    sync.Mutex
	hosts map[string]*Transport // of a killed host there is no entry
	cut   map[link]bool
}

// NewNetwork returns a network without hosts.
func NewNetwork() *Network {
	return &Network{hosts: map[string]*Transport{}, cut: map[link]bool{}}
}

// Transport starts a host, or starts it again after it was shut down or
// killed. A former transport of that address stays cut off for good.
func (n *Network) Transport(addr string) *Transport {
	t := &Transport{
		net:     n,
		addr:    addr,
		packets: make(chan *memberlist.Packet, packetQueue),
		streams: make(chan net.Conn, streamQueue),
		done:    make(chan struct{}),
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hosts[addr] = t
	return t
}

// Kill is the sudden death of a host: it falls silent, and dialling it times
// out. The program on it does not notice; the test closes it.
func (n *Network) Kill(addr string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.hosts, addr)
}

// Cut stops what from sends to to. The other direction still works for
// packets; connections need both.
func (n *Network) Cut(from, to string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut[link{from, to}] = true
}

// Mend undoes [Network.Cut].
func (n *Network) Mend(from, to string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.cut, link{from, to})
}

// Partition cuts every link between hosts of different groups, both ways.
// Links inside a group, and those of hosts in no group, stay as they are.
func (n *Network) Partition(groups ...[]string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i, group := range groups {
		for j, other := range groups {
			if i == j {
				continue
			}
			for _, from := range group {
				for _, to := range other {
					n.cut[link{from, to}] = true
				}
			}
		}
	}
}

// Heal mends every link.
func (n *Network) Heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.cut)
}

// route returns the host at an address, or nil when nothing that from sends
// arrives there: cut, killed, or from itself is no longer on the network.
func (n *Network) route(from *Transport, to string) *Transport {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.hosts[from.addr] != from || n.cut[link{from.addr, to}] {
		return nil
	}
	return n.hosts[to]
}
