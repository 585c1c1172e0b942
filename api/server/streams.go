package server

import (
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
	wake, stop := c.State.Watch()
	defer stop()
	out := c.lines()
	keep := func(e *state.Event) bool {
		return (q.Get("type") == "" || e.Type == q.Get("type")) && (q.Get("service") == "" || e.Service == q.Get("service")) &&
			(q.Get("node") == "" || c.eventNode(e) == q.Get("node"))
	}
	v, _ := c.State.View()
	last := v.Index()
	if after >= 0 {
		last = uint64(after)
	} else {
		for _, e := range v.LastEvents(tail, keep) {
			if err := out.send(c.presentEvent(v, e)); err != nil {
				return streamed, nil
			}
		}
	}
	for {
		v, _ := c.State.View()
		for e := range v.Events(last) {
			if keep(e) {
				if err := out.send(c.presentEvent(v, e)); err != nil {
					return streamed, nil
				}
			}
		}
		last = max(last, v.Index())
		if q.Get("follow") == "" {
			return streamed, nil
		}
		select {
		case <-c.ctx.Done():
			return streamed, nil
		case <-wake:
		}
	}
}

func (c *call) eventNode(e *state.Event) string {
	v, _ := c.State.View()
	if n, ok := v.Node(e.Node); ok {
		return n.Name
	}
	return string(e.Node)
}

func (c *call) presentEvent(v state.View, e *state.Event) api.Event {
	out := api.Event{
		Index: e.Index, At: e.At, Type: e.Type, Action: e.Action, Object: e.Object,
		Service: e.Service, Node: c.eventNode(e), Message: e.Message,
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
