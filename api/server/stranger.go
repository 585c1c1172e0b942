package server

import (
	"net/http"
	"sync"
	"time"

	"github.com/musterhq/muster/crowd"
)

// What a caller without a certificate may leave unread. Over HTTP/2 that costs it
// nothing: it offers no window, on hundreds of streams of one connection.
const (
	// maxSending is how many answers they may be taking at once: many, so that one
	// that is taken at once is through before it is the oldest.
	maxSending = 4096
	takenIn    = 10 * time.Second // each part of one
)

// ending is a part of a call that may be given up, while it lasts: what the call
// answers on belongs to another one as soon as it is served.
type ending struct {
	mu   sync.Mutex
	over bool
	cut  func()
}

// newEndings is a crowd of those. When there are too many, the one that takes
// longest is given up.
func newEndings(limit int) *crowd.Crowd[*ending] {
	return crowd.New(limit, func(e *ending) {
		e.mu.Lock()
		defer e.mu.Unlock()
		if !e.over {
			e.cut()
		}
	})
}

// enter takes a part in; leave is to be called at its end.
func enter(all *crowd.Crowd[*ending], cut func()) (leave func()) {
	e := &ending{cut: cut}
	all.Enter(e)
	return func() {
		all.Leave(e)
		e.mu.Lock()
		defer e.mu.Unlock()
		e.over = true
	}
}

// longAgo is the deadline of what is to end now.
var longAgo = time.Unix(1, 0)

// strangersApart bounds what h answers to callers without a certificate.
func (s *Server) strangersApart(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
			h.ServeHTTP(w, r)
			return
		}
		out := &strangerWriter{ResponseWriter: w, rc: http.NewResponseController(w), sending: s.sending}
		h.ServeHTTP(out, r)
		_ = out.FlushError() // who is gone, or takes nothing, is not served
	})
}

// strangerWriter is an answer that a stranger has to take.
type strangerWriter struct {
	http.ResponseWriter
	rc      *http.ResponseController
	sending *crowd.Crowd[*ending]
}

// Unwrap is for http.ResponseController.
func (w *strangerWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *strangerWriter) Write(b []byte) (int, error) {
	defer w.limit()()
	return w.ResponseWriter.Write(b)
}

// FlushError is what http.ResponseController calls.
func (w *strangerWriter) FlushError() error {
	defer w.limit()()
	return w.rc.Flush()
}

func (w *strangerWriter) limit() (lift func()) {
	_ = w.rc.SetWriteDeadline(time.Now().Add(takenIn)) // a writer in memory has none
	leave := enter(w.sending, func() { _ = w.rc.SetWriteDeadline(longAgo) })
	return func() {
		leave()
		_ = w.rc.SetWriteDeadline(time.Time{})
	}
}
