package server

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/security"
)

// How many calls of a class are served at once. Classes do not wait for each
// other; what members say to each other is never held up.
const (
	maxUserCalls   = 64
	maxUserWaiting = 1024 // for one of these
	maxUserStreams = 512
	maxStrangers   = 64 // calls of those who have no certificate yet
	userPatience   = 10 * time.Second
)

// admission is the classes' doors.
type admission struct {
	calls, streams, strangers door
}

func newAdmission() admission {
	return admission{
		calls:     door{what: "calls of users", open: make(chan struct{}, maxUserCalls), maxWaiting: maxUserWaiting},
		streams:   door{what: "streams to users", open: make(chan struct{}, maxUserStreams)},
		strangers: door{what: "hosts that join", open: make(chan struct{}, maxStrangers), maxWaiting: maxUserWaiting},
	}
}

// admit lets a call in until release is called. A call without its body read
// holds next to no memory while it waits.
func (a *admission) admit(ctx context.Context, rt route) (release func(), err error) {
	switch {
	case rt.where == idle: // cheap, and how the living are told from the dead
		return func() {}, nil
	case rt.access == security.LocalAdmin && rt.stream:
		return a.streams.enter(ctx)
	case rt.access == security.LocalAdmin:
		return a.calls.enter(ctx)
	case rt.access == security.Public:
		return a.strangers.enter(ctx)
	}
	return func() {}, nil
}

// door lets a number of calls in at once, and some wait.
type door struct {
	what       string
	open       chan struct{}
	maxWaiting int32
	waiting    atomic.Int32
}

func (d *door) enter(ctx context.Context) (leave func(), err error) {
	leave = func() { <-d.open }
	select {
	case d.open <- struct{}{}:
		return leave, nil
	default:
	}
	defer d.waiting.Add(-1)
	if d.waiting.Add(1) > d.maxWaiting {
		return nil, d.full()
	}
	patience := time.NewTimer(userPatience)
	defer patience.Stop()
	select {
	case d.open <- struct{}{}:
		return leave, nil
	case <-patience.C:
		return nil, d.full()
	case <-ctx.Done():
		return nil, fmt.Errorf("wait to be served: %w", ctx.Err())
	}
}

func (d *door) full() error {
	return api.Errorf(api.CodeUnavailable, "this node serves %d %s already", cap(d.open), d.what).
		WithHint("try again in a moment; send fewer at once")
}

// stuckAfter is when a reader that takes nothing is cut off. It goes on where
// it was: events are read after an index, logs since a time.
const stuckAfter = 30 * time.Second

// patient is an answer that waits so long for its reader and no longer.
type patient struct {
	http.ResponseWriter
	rc *http.ResponseController
}

func newPatient(w http.ResponseWriter) *patient {
	return &patient{ResponseWriter: w, rc: http.NewResponseController(w)}
}

// Unwrap is for http.ResponseController.
func (p *patient) Unwrap() http.ResponseWriter { return p.ResponseWriter }

func (p *patient) Write(b []byte) (int, error) {
	defer p.limit()()
	return p.ResponseWriter.Write(b)
}

// FlushError is what http.ResponseController calls.
func (p *patient) FlushError() error {
	defer p.limit()()
	return p.rc.Flush()
}

func (p *patient) limit() (lift func()) {
	_ = p.rc.SetWriteDeadline(time.Now().Add(stuckAfter)) // a writer in memory has none
	return func() { _ = p.rc.SetWriteDeadline(time.Time{}) }
}
