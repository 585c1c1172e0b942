package proxy

import (
	"net"
	"sync"

	"github.com/musterhq/muster/lb"
)

// session is a client's connection joined to a backend's.
type session struct {
	client  net.Conn
	server  net.Conn
	port    lb.Port
	backend lb.Backend
}

// left reports whether a session that has no end of its own, as those of UDP,
// goes to a task that is in the table no more.
func (s *session) left(t *lb.Table) bool {
	if !s.backend.UDP {
		return false
	}
	f, ok := t.Frontend(s.port)
	return !ok || !f.Has(s.backend)
}

// reset ends both connections at once; neither side can take it for a regular end.
func (s *session) reset() {
	resetConn(s.client)
	resetConn(s.server)
}

func resetConn(c net.Conn) {
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetLinger(0) // fails on a closed connection only
	}
	_ = c.Close() // nothing is to be delivered
}

// sessions is the set of those that are open.
type sessions struct {
	mu  sync.Mutex
	all map[*session]struct{}
	at  map[lb.Backend]int // how many there are at each backend
}

func (o *sessions) add(s *session) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.all == nil {
		o.all, o.at = map[*session]struct{}{}, map[lb.Backend]int{}
	}
	o.all[s] = struct{}{}
	o.at[s.backend]++
}

func (o *sessions) remove(s *session) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.all, s)
	if o.at[s.backend]--; o.at[s.backend] == 0 {
		delete(o.at, s.backend)
	}
}

// count is how many sessions a backend has.
func (o *sessions) count(b lb.Backend) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.at[b]
}

// reset ends the sessions that match and returns their number.
func (o *sessions) reset(match func(*session) bool) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := 0
	for s := range o.all {
		if match(s) {
			s.reset()
			n++
		}
	}
	return n
}

// serve carries one client's connection from its acceptance to its end.
func (p *Proxy) serve(client net.Conn, l *port, turn uint64) {
	now := p.now.Load()
	f, ok := now.Frontend(l.key)
	if !ok { // the port left the table a moment ago
		resetConn(client)
		return
	}
	count := p.stats.of(f.Service)
	defer count.end()
	if why := p.begin(f, count); why != "" {
		l.shed(why)
		resetConn(client)
		return
	}
	a := &attempt{p: p, client: client, frontend: f, count: count}
	s := a.connect(p.pick(now, client, l.key, turn))
	if s == nil {
		count.unserved.Add(1)
		resetConn(client)
		return
	}
	defer p.open.remove(s)
	if s.backend.UDP {
		p.exchange(s, count)
		return
	}
	join(s, count)
}
