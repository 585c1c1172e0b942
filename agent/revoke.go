package agent

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/security"
)

// revoke ends what is open between here and the nodes that are members no
// longer, in both directions, and the raft streams of those that do not vote any
// more. New calls are refused by the rules of their routes.
func (m *member) revoke(before []api.Member) {
	m.a.server.Review()
	m.raftIn.review()
	for _, k := range before {
		if _, still := m.member(k.ID); !still && k.ID != m.self {
			m.peers.Cut(k.ID)
		}
	}
}

// raftListener lets in only raft streams of voters.
type raftListener struct {
	net.Listener
	m *member
}

func (l *raftListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if p, ok := security.ConnPeer(conn); ok && l.m.maySendRaft(p) {
			l.m.cameFrom(cluster.NodeID(p.NodeID), conn.RemoteAddr())
			return l.m.raftIn.open(&raftConn{Conn: conn, peer: p, m: l.m}), nil
		}
		_ = conn.Close()
	}
}

// raftConn ends when its node may send raft no more.
type raftConn struct {
	net.Conn
	peer security.Peer
	m    *member
}

func (c *raftConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err == nil && !c.m.maySendRaft(c.peer) {
		return 0, fmt.Errorf("read a raft stream: node %s is no voter any more", c.peer.NodeID)
	}
	return n, err
}

func (c *raftConn) Close() error {
	c.m.raftIn.closed(c)
	return c.Conn.Close()
}

// raftStreams are those that other nodes opened to here.
type raftStreams struct {
	mu    sync.Mutex
	conns map[*raftConn]bool
}

func (s *raftStreams) open(c *raftConn) *raftConn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conns == nil {
		s.conns = map[*raftConn]bool{}
	}
	s.conns[c] = true
	return c
}

func (s *raftStreams) closed(c *raftConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

// review closes those whose node is no voter any more; one that says nothing
// would stay.
func (s *raftStreams) review() {
	s.mu.Lock()
	open := slices.Collect(maps.Keys(s.conns))
	s.mu.Unlock()
	for _, c := range open {
		if !c.m.maySendRaft(c.peer) {
			_ = c.Close()
		}
	}
}

// maySendRaft looks the peer up by its ID, in replicated state and in what other
// voters said: a voter that slept does not know its leader yet from its own log.
func (m *member) maySendRaft(p security.Peer) bool {
	id := cluster.NodeID(p.NodeID)
	if k, ok := m.member(id); ok && k.Voter && k.PublicKey == p.PublicKeyHash {
		return true
	}
	v := m.voter.Load()
	if v == nil {
		return false
	}
	n, ok := v.store.View().Node(id)
	return ok && n.Voter && n.PublicKey == p.PublicKeyHash
}
