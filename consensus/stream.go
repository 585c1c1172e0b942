package consensus

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/cluster"
)

// streams is raft's StreamLayer. To raft a server's address is its node ID:
// connections are pooled by node, and where a node lives is asked at each dial.
type streams struct {
	net.Listener
	cfg    *Config
	ctx    context.Context
	cancel context.CancelFunc

	mu       sync.Mutex
	closed   bool
	conns    map[*stream]struct{}
	handlers sync.WaitGroup // accepted streams that raft still reads
}

func newStreams(cfg *Config) *streams {
	ctx, cancel := context.WithCancel(context.Background())
	return &streams{Listener: cfg.Listener, cfg: cfg, ctx: ctx, cancel: cancel, conns: map[*stream]struct{}{}}
}

// Addr is the node's ID.
func (s *streams) Addr() net.Addr { return nodeAddr(s.cfg.NodeID) }

type nodeAddr cluster.NodeID

func (a nodeAddr) Network() string { return "muster" }
func (a nodeAddr) String() string  { return string(a) }

// Dial opens a stream to the node that address names.
func (s *streams) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	id := cluster.NodeID(address)
	addr, ok := s.cfg.Addr(id)
	if !ok {
		return nil, fmt.Errorf("dial node %s: its address is not known", id)
	}
	ctx, cancel := context.WithTimeout(s.ctx, timeout)
	defer cancel()
	c, err := s.cfg.Dial(ctx, id, addr, timeout)
	if err != nil {
		return nil, fmt.Errorf("dial node %s at %s: %w", id, addr, err)
	}
	return s.add(c, false)
}

// Accept waits for the next stream.
func (s *streams) Accept() (net.Conn, error) {
	c, err := s.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return s.add(c, true)
}

func (s *streams) add(c net.Conn, accepted bool) (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = c.Close() // nobody will use it
		return nil, net.ErrClosed
	}
	st := &stream{Conn: c, owner: s, accepted: accepted}
	s.conns[st] = struct{}{}
	if accepted {
		s.handlers.Add(1)
	}
	return st, nil
}

// Close ends the listener and all streams, and waits until raft has let go of
// the accepted ones. Raft's own transport leaves both kinds open.
func (s *streams) Close() error {
	s.mu.Lock()
	s.closed = true
	open := make([]net.Conn, 0, len(s.conns))
	for st := range s.conns {
		open = append(open, st.Conn)
	}
	s.mu.Unlock()

	s.cancel()
	err := s.Listener.Close()
	for _, c := range open {
		_ = c.Close() // its reader sees the error
	}
	s.handlers.Wait()
	return err
}

// stream is a connection that its owner can end.
type stream struct {
	net.Conn
	owner    *streams
	accepted bool
	once     sync.Once
}

func (st *stream) Close() error {
	err := st.Conn.Close()
	st.once.Do(func() {
		st.owner.mu.Lock()
		delete(st.owner.conns, st)
		st.owner.mu.Unlock()
		if st.accepted {
			st.owner.handlers.Done()
		}
	})
	return err
}
