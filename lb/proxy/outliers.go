package proxy

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/musterhq/muster/lb"
)

// outliers holds the current lb.Health: read without a lock, changed under one.
type outliers struct {
	mu  sync.Mutex
	cur atomic.Pointer[lb.Health]
}

func (o *outliers) load() lb.Health {
	if h := o.cur.Load(); h != nil {
		return *h
	}
	return lb.Health{}
}

// begin and answered change nothing for backends that are trusted, so that they
// cost nothing while all are.

func (o *outliers) begin(b lb.Backend, atMost time.Duration) {
	if !o.load().Empty() {
		o.update(func(h lb.Health) lb.Health { return h.Begin(b, time.Now(), atMost) })
	}
}

func (o *outliers) answered(b lb.Backend) {
	if !o.load().Empty() {
		o.update(func(h lb.Health) lb.Health { return h.Answered(b) })
	}
}

// fail reports whether b was in use until now.
func (o *outliers) fail(b lb.Backend) (ejected bool) {
	now := time.Now()
	o.update(func(h lb.Health) lb.Health {
		ejected = h.Usable(b, now)
		return h.Fail(b, now)
	})
	return ejected
}

func (o *outliers) update(change func(lb.Health) lb.Health) {
	o.mu.Lock()
	defer o.mu.Unlock()
	next := change(o.load())
	o.cur.Store(&next)
}
