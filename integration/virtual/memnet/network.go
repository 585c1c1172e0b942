package memnet

import (
	"net"
	"sync"
	"time"
)

// Times of the network.
const (
	// Latency is how long a segment travels between two hosts.
	Latency = time.Millisecond
	// retransmit is the pause before data that got lost is sent again; it
	// doubles up to retransmitMax.
	retransmit    = 200 * time.Millisecond
	retransmitMax = 2 * time.Minute
	// orphaned is how long a host goes on sending what a closed connection
	// left behind, abandoned how long it does for an open one.
	orphaned  = time.Minute
	abandoned = 15 * time.Minute
	// resyn is the pause before a connection that was not answered is tried
	// again; it doubles.
	resyn = time.Second
)

type link struct{ from, to string }

// Network connects hosts, named by their IP addresses. Every link works until it
// is cut. Its methods are safe for concurrent use.
type Network struct {
	mu    sync.Mutex
	hosts map[string]*Host
	cut   map[link]bool
	port  int // last ephemeral one
}

// New returns a network without hosts.
func New() *Network {
	return &Network{hosts: map[string]*Host{}, cut: map[link]bool{}, port: 32767}
}

// Host adds a host that is up, under an IP address that is free.
func (n *Network) Host(ip string) *Host {
	h := &Host{net: n, up: true, listeners: map[string]*listener{}}
	h.Move(ip)
	return h
}

// Cut stops what from sends to to. The other direction goes on, but a
// connection needs both to open, and to be told that data arrived.
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

// passes reports whether what one address sends now reaches a living host at the
// other. n.mu is held.
func (n *Network) passes(from, to string) bool {
	a, b := n.hosts[from], n.hosts[to]
	return a != nil && b != nil && a.up && b.up && (a == b || !n.cut[link{from, to}])
}

// way says how what a connection sends fares now: whether it gets there, whether
// the answer gets back, and whether there is a host that never had the
// connection.
func (n *Network) way(c *conn) (there, back, stranger bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.hosts[c.from] != c.process.host {
		return false, false, false // its own address is gone
	}
	return n.passes(c.from, c.to), n.passes(c.to, c.from), n.hosts[c.to] != c.peer.process.host
}

// Host is one machine of the network.
type Host struct {
	net *Network

	// Guarded by net.mu.
	ip        string
	up        bool
	listeners map[string]*listener // by port, or by the path of a unix socket
	processes []*Process
}

// IP is where the others reach the host.
func (h *Host) IP() string {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	return h.ip
}

// Move gives the host another address, which must be free. What is said to the
// old one is lost from now on; connections that use it fall silent.
func (h *Host) Move(ip string) {
	if net.ParseIP(ip) == nil {
		panic("memnet: " + ip + " is not an IP address")
	}
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	if h.net.hosts[ip] != nil {
		panic("memnet: there are two hosts at " + ip)
	}
	delete(h.net.hosts, h.ip)
	h.ip, h.net.hosts[ip] = ip, h
}

// Kill is the sudden death of the host: its programs are gone, and it says
// nothing more to anybody.
func (h *Host) Kill() {
	h.net.mu.Lock()
	h.up = false
	programs := h.processes
	h.processes = nil
	h.net.mu.Unlock()
	for _, p := range programs {
		p.end((*conn).vanish)
	}
}

// Boot starts a host that was killed, with no program on it.
func (h *Host) Boot() {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	h.up = true
}

// listening finds who listens on a port of the host at the address; alive is
// false when nothing at all can be said to it and heard from it.
func (n *Network) listening(from, to, port string) (l *listener, alive bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.passes(from, to) || !n.passes(to, from) {
		return nil, false
	}
	return n.hosts[to].listeners[port], true
}

// ephemeral is a port that no connection uses.
func (n *Network) ephemeral() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.port++; n.port > 65535 {
		n.port = 32768
	}
	return n.port
}
