package server

import (
	"net/http"
	"time"

	"github.com/musterhq/muster/crowd"
)

// What a caller without a certificate may leave unread. Over HTTP/2 that costs it
// nothing: it offers no window, on hundreds of streams of one connection.
const (
	maxSending = 256              // answers at once
	takenIn    = 10 * time.Second // each part of one
)

// newSending bounds the answers that strangers are being sent. When there are too
// many, the one that takes longest is given up.
func newSending() *crowd.Crowd[*http.ResponseController] {
	return crowd.New(maxSending, func(conn *http.ResponseController) { _ = conn.SetWriteDeadline(time.Unix(1, 0)) })
}

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
	sending *crowd.Crowd[*http.ResponseController]
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
	w.sending.Enter(w.rc)
	return func() {
		w.sending.Leave(w.rc)
		_ = w.rc.SetWriteDeadline(time.Time{})
	}
}
