package server

import (
	"iter"
	"slices"
	"strconv"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// defaultEventTail is how many past events a reader gets without asking.
const defaultEventTail = 100

// events streams the history: what is kept, then with follow what comes. Every
// voter serves the same events with the same indexes.
func events(c *call) (any, error) {
	q := c.r.URL.Query()
	tail, err := intParam(q.Get("tail"), "tail", defaultEventTail)
	if err != nil {
		return nil, err
	}
	after, err := intParam(q.Get("after"), "after", -1)
	if err != nil {
		return nil, err
	}
	v, ok := c.State.View()
	if !ok {
		return nil, api.Errorf(api.CodeUnavailable, "this node is not a voter any more").WithHint("try again")
	}
	wake, stop := c.State.Watch()
	defer stop()
	r := eventReader{out: c.lines(), kind: q.Get("type"), service: q.Get("service"), node: q.Get("node")}
	last := v.Index()
	if after >= 0 {
		last = uint64(after)
	} else if !r.send(v, slices.Values(v.LastEvents(tail, r.keep(v)))) {
		return streamed, nil
	}
	for {
		// A node that is demoted ends the stream: the reader goes on elsewhere.
		v, ok := c.State.View()
		if !ok || !r.send(v, v.Events(last)) || q.Get("follow") == "" {
			return streamed, nil
		}
		last = max(last, v.Index())
		select {
		case <-c.ctx.Done():
			return streamed, nil
		case <-wake:
		}
	}
}

// eventReader is who reads the history, and what of it.
type eventReader struct {
	out                 *lines
	kind, service, node string // "": all
}

// send sends what is wanted of the events; it reports whether the reader is
// still there.
func (r eventReader) send(v state.View, all iter.Seq[*state.Event]) bool {
	keep := r.keep(v)
	for e := range all {
		if keep(e) && r.out.send(presentEvent(v, e)) != nil {
			return false
		}
	}
	return true
}

func (r eventReader) keep(v state.View) func(*state.Event) bool {
	return func(e *state.Event) bool {
		return (r.kind == "" || e.Type == r.kind) && (r.service == "" || e.Service == r.service) &&
			(r.node == "" || eventNode(v, e) == r.node)
	}
}

// eventNode is the name of the event's node, or its ID when it is gone.
func eventNode(v state.View, e *state.Event) string {
	if n, ok := v.Node(e.Node); ok {
		return n.Name
	}
	return string(e.Node)
}

func presentEvent(v state.View, e *state.Event) api.Event {
	out := api.Event{
		Index: e.Index, At: e.At, Type: e.Type, Action: e.Action, Object: e.Object,
		Service: e.Service, Node: eventNode(v, e), Message: e.Message, Count: e.Count, First: e.First,
	}
	switch e.Type {
	case "node":
		if n, ok := v.Node(cluster.NodeID(e.Object)); ok {
			out.Name = n.Name
		}
	case "task":
		if t, ok := v.Task(cluster.TaskID(e.Object)); ok {
			out.Name = string(t.Service) + "." + strconv.Itoa(t.Slot)
		}
	default:
		out.Name = e.Service
	}
	return out
}

func intParam(s, name string, def int) (int, error) {
	if s == "" {
		return def, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0, cluster.Invalid(name, strconv.Quote(s)+" is not a whole number", "")
	}
	return n, nil
}

func timeParam(s, name string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}, cluster.Invalid(name, strconv.Quote(s)+" is not a time", "write it as 2026-01-02T15:04:05Z")
	}
	return t, nil
}
