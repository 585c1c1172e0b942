package server

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/musterhq/muster/api"
)

// holds are the streams of other nodes that are being served. Each was let in
// by its route's rule, and goes on as long as the rule lets it: see
// [Server.Review].
type holds struct {
	mu    sync.Mutex
	calls map[*held]bool
}

// held is one of them.
type held struct {
	rt   route
	call call // as it was let in
	end  context.CancelCauseFunc
	conn *http.ResponseController
}

// errRevoked is why the context of a call ends whose caller was removed.
var errRevoked = api.Errorf(api.CodeRemoved, "the caller may not do this any more")

// hold makes a stream end when its caller loses the right to it. It is called
// before the rule is asked, so that no change is missed between the two. The
// other calls are over soon.
func (s *Server) hold(rt route, c *call) (release func()) {
	if !rt.stream || c.caller.NodeID == "" {
		return func() {}
	}
	ctx, end := context.WithCancelCause(c.ctx)
	c.ctx, c.r = ctx, c.r.WithContext(ctx)
	h := &held{rt: rt, call: *c, end: end, conn: http.NewResponseController(c.w)}
	s.held.mu.Lock()
	defer s.held.mu.Unlock()
	if s.held.calls == nil {
		s.held.calls = map[*held]bool{}
	}
	s.held.calls[h] = true
	return func() {
		s.held.mu.Lock()
		defer s.held.mu.Unlock()
		delete(s.held.calls, h)
		end(nil)
	}
}

// Review ends the streams of nodes that may not have them any more: they were
// removed, or do not vote now. It is to be called after every change of the
// members; calling it without one does nothing.
func (s *Server) Review() {
	s.held.mu.Lock()
	defer s.held.mu.Unlock()
	for h := range s.held.calls {
		if s.authorise(h.rt, &h.call) == nil {
			continue
		}
		delete(s.held.calls, h)
		h.end(errRevoked)
		// Whoever waits for the other side does not look at the context. A writer
		// in memory has no deadlines.
		past := time.Unix(1, 0)
		_ = h.conn.SetReadDeadline(past)
		_ = h.conn.SetWriteDeadline(past)
	}
}
