package peer

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"math"
	"net/http"
	"time"
)

// Bounds of a connection that carries beats.
const (
	beatSilence = 2 * time.Minute // between calls, and for the rest of one
	beatStuck   = 30 * time.Second
	beatLimit   = time.Minute // for serving a call: those that belong here take a moment
	maxBeatHead = 64 << 10    // bytes
	maxBeatSays = 1 << 20     // bytes of an answer
)

// ServeBeats answers the calls on a connection that negotiated
// [security.ALPNBeat], one after the other, until it breaks or the server's base
// context ends. It is for [http.Server.TLSNextProto].
//
// net/http would do, but it reads on beside each call, to notice a caller that
// hangs up: the other goroutine takes most of what a heartbeat costs the leader.
func ServeBeats(_ *http.Server, conn *tls.Conn, h http.Handler) {
	base := context.Background()
	if b, ok := h.(interface{ BaseContext() context.Context }); ok { // as HTTP/2 asks for it
		base = b.BaseContext()
	}
	hangUp := func() { _ = conn.NetConn().Close() } // without a word, which could take its time
	defer hangUp()
	defer context.AfterFunc(base, hangUp)()
	bound := &io.LimitedReader{R: conn}
	in, out := bufio.NewReader(bound), bufio.NewWriter(conn)
	for {
		_ = conn.SetReadDeadline(time.Now().Add(beatSilence))
		bound.N = maxBeatHead
		req, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		bound.N = math.MaxInt64 // the handler bounds the body
		w, more := serveBeat(base, req, h)
		_ = conn.SetWriteDeadline(time.Now().Add(beatStuck))
		if w.send(req, out) != nil || out.Flush() != nil || !more {
			return
		}
	}
}

// serveBeat serves a call. What is left of its body, which the handler did not
// want, ends the connection: more is false then.
func serveBeat(base context.Context, req *http.Request, h http.Handler) (w *ownAnswer, more bool) {
	ctx, cancel := context.WithTimeout(base, beatLimit)
	defer cancel()
	w = &ownAnswer{header: http.Header{}, most: maxBeatSays}
	h.ServeHTTP(w, req.WithContext(ctx))
	_, err := req.Body.Read(make([]byte, 1))
	return w, err == io.EOF && !req.Close
}
