package sim

import (
	"errors"
	"fmt"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/integration/invariants"
	"github.com/musterhq/muster/runtime"
)

// errNoRegistry is what a pull ends with while the registry is down.
var errNoRegistry = errors.New("the registry does not answer")

// maxStreams is how many copies of images a node sends at a time.
const maxStreams = 2

// copy brings an image from another host that has it and is not busy, as
// agent/images does when the registry gives nothing.
func (e *engine) copy(i cluster.Image, done func(error)) {
	w := e.h.w
	var from *engine
	found := false
	for _, h := range w.hosts {
		if o := h.engine; o != e && o.up && !o.hung && o.images[i.Digest] && w.reaches(e.h, h) {
			found = true
			if from == nil && o.streams < maxStreams {
				from = o
			}
		}
	}
	switch {
	case from != nil:
		from.send(e, i, done)
	case found:
		e.h.after(w.between(busyRetry/2, busyRetry), func() { e.copy(i, done) })
	default:
		e.h.after(w.delay(), func() { done(fmt.Errorf("%w, and no node that answers has %s", errNoRegistry, i.Digest)) })
	}
}

// busyRetry is how long to wait while every host that has an image is busy.
const busyRetry = time.Second

// send streams an image to another engine.
func (e *engine) send(to *engine, i cluster.Image, done func(error)) {
	w := e.h.w
	e.streams++
	if e.streams > maxStreams {
		w.fail(invariants.Violation{Rule: invariants.TooBusy, Detail: fmt.Sprintf("node %s sends %d images", e.h.id, e.streams)})
	}
	w.note("copy", string(e.h.id)+" to "+string(to.h.id), i.Digest, uint64(e.streams))
	w.after(w.between(time.Second, 15*time.Second), func() {
		e.streams--
		ok := w.linked(e.h, to.h) && e.up && to.up
		to.h.after(0, func() {
			if !ok {
				done(fmt.Errorf("%w: the copy broke off", runtime.ErrEngine))
				return
			}
			to.images[i.Digest] = true
			done(nil)
		})
	})
}
