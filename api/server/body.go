package server

import (
	"bytes"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/musterhq/muster/security"
)

// bounds are what a caller's body may cost. A body that comes along is waited
// for as long as it takes; one that does not is given up.
type bounds struct {
	stall       time.Duration // without a byte
	stranger    time.Duration // for the whole body of who has no certificate
	strangerMax int64         // bytes of it
}

// A body may pause while a user's machine packs what it sends; a joining host
// has nothing to think about.
var usualBounds = bounds{stall: 2 * time.Minute, stranger: 10 * time.Second, strangerMax: 64 << 10}

// limitBody bounds the call's body, in time and, unless it is a stream, in
// size. done is to be called when the call is served: net/http reads on for a
// while then.
func (c *call) limitBody(rt route) (done func()) {
	if c.r.Body == nil || c.r.Body == http.NoBody {
		return func() {}
	}
	b := &pacedBody{body: c.r.Body, conn: http.NewResponseController(c.w), stall: c.s.bounds.stall, streams: c.r.ProtoMajor > 1}
	limit := int64(maxBody)
	if rt.access == security.Public || c.caller == (security.Caller{}) {
		b.until = time.Now().Add(c.s.bounds.stranger)
		limit = c.s.bounds.strangerMax
	}
	if c.r.ProtoMajor < 2 || !b.until.IsZero() {
		b.expect() // also when nobody reads it
	}
	c.r.Body = b
	if !rt.stream || !b.until.IsZero() {
		c.r.Body = http.MaxBytesReader(c.w, b, limit)
	}
	return b.done
}

// pacedBody is a body that must come along.
type pacedBody struct {
	body  io.ReadCloser
	conn  *http.ResponseController
	stall time.Duration
	until time.Time // for all of it; zero: no such limit
	// streams says that the connection carries others, too: a deadline ends the
	// body even when nobody reads. Elsewhere one stays set, as net/http itself
	// reads the rest of a body before it answers.
	streams bool
	// ended: all of it was read. Whoever passes the call on may read to the end
	// while the answer is done already.
	ended atomic.Bool
}

func (b *pacedBody) Read(p []byte) (int, error) {
	b.expect()
	n, err := b.body.Read(p)
	ended := err == io.EOF || b.ended.Load()
	b.ended.Store(ended)
	if ended || b.streams && err == nil && b.until.IsZero() {
		_ = b.conn.SetReadDeadline(time.Time{})
	}
	return n, err
}

func (b *pacedBody) Close() error { return b.body.Close() }

// expect sets when the next bytes must be here. What is served in memory has no
// deadlines.
func (b *pacedBody) expect() {
	at := time.Now().Add(b.stall)
	if !b.until.IsZero() && b.until.Before(at) {
		at = b.until
	}
	_ = b.conn.SetReadDeadline(at)
}

// done bounds what net/http does with the rest of the body.
func (b *pacedBody) done() {
	if !b.ended.Load() {
		b.expect()
	}
}

// maxReading is how many strangers may be in the middle of their bodies. When there
// are too many, the one that takes longest reads no more.
const maxReading = 256

// readStranger reads a stranger's whole body before it takes the place of a call
// that can be served.
func (c *call) readStranger(rt route) error {
	if rt.access != security.Public || rt.where == idle || c.r.Body == nil || c.r.Body == http.NoBody {
		return nil
	}
	conn := http.NewResponseController(c.w)
	defer enter(c.s.reading, func() { _ = conn.SetReadDeadline(longAgo) })()
	all, err := io.ReadAll(c.r.Body)
	if err != nil {
		return decoded(err)
	}
	c.r.Body = io.NopCloser(bytes.NewReader(all))
	return nil
}
