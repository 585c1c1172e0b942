package client

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"strconv"
	"time"

	"github.com/musterhq/muster/api"
)

// Pace of taking up a history that is followed.
const (
	resumeEvery = 300 * time.Millisecond
	resumeFor   = 30 * time.Second // without an answer, until that is an error
)

var errStreamEnded = errors.New("the agent ended the stream")

// EventQuery selects events.
type EventQuery struct {
	Type    string
	Service string // stack/service
	Node    string
	Follow  bool
	Tail    int    // last events; negative: all that are kept
	After   uint64 // index; with it Tail has no effect
}

// Events streams the cluster's history. One that is followed outlives the node
// that serves it: it is taken up where it was as soon as one answers.
func (c *Client) Events(ctx context.Context, q EventQuery) iter.Seq2[api.Event, error] {
	if !q.Follow {
		return c.events(ctx, q, func() {})
	}
	return func(yield func(api.Event, error) bool) {
		f := followed{query: q}
		for {
			over, err := f.read(ctx, c, yield)
			if over {
				return
			}
			err = f.judge(ctx, err)
			if err == nil && !sleep(ctx, resumeEvery) {
				err = ctx.Err()
			}
			if err != nil {
				yield(api.Event{}, err)
				return
			}
		}
	}
}

func (c *Client) events(ctx context.Context, q EventQuery, begun func()) iter.Seq2[api.Event, error] {
	query := filter("type", q.Type, "service", q.Service, "node", q.Node)
	follow(query, q.Follow, q.Tail)
	if q.After > 0 || q.Tail < 0 {
		query.Set("after", strconv.FormatUint(q.After, 10))
	}
	return streamed[api.Event](ctx, c, call{method: http.MethodGet, path: path("events"), query: query}, begun)
}

// followed is where the reader of a history is.
type followed struct {
	query  EventQuery
	last   uint64    // index of the newest event
	same   int       // events with that index so far: one change may make several
	served bool      // an agent has answered before
	lostAt time.Time // when the stream broke; zero while there is one
}

// read yields what is new until the stream ends. It reports whether the reader
// wants no more, and why the stream ended, nil for an end in order.
func (f *followed) read(ctx context.Context, c *Client, yield func(api.Event, error) bool) (over bool, err error) {
	q := f.query
	known := 0
	if f.last > 0 {
		q.After, known = f.last-1, f.same
	}
	for e, err := range c.events(ctx, q, func() { f.served, f.lostAt = true, time.Time{} }) {
		switch {
		case err != nil:
			return false, err
		case e.Index == f.last && known > 0:
			known--
			continue
		case e.Index == f.last:
			f.same++
		default:
			f.last, f.same = e.Index, 1
		}
		if !yield(e, nil) {
			return true, nil
		}
	}
	return false, nil
}

// judge returns nil when the stream that ended with err is to be taken up.
func (f *followed) judge(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err == nil {
		err = errStreamEnded
	} else if !f.served || !Passing(err) {
		return err
	}
	if f.lostAt.IsZero() {
		f.lostAt = time.Now()
	}
	if time.Since(f.lostAt) > resumeFor {
		return err
	}
	return nil
}
