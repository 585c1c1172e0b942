package fake

import (
	"context"
	"sync"

	"github.com/musterhq/muster/runtime"
)

// backlog is how many events a stream holds for a slow reader; more are lost,
// as a real engine's are.
const backlog = 1024

type subscriber struct {
	cluster string
	events  chan runtime.Event
	close   func() // once
}

// Events streams changes until ctx ends or the stream breaks.
func (d *Driver) Events(ctx context.Context, cluster string) (<-chan runtime.Event, error) {
	s := &subscriber{cluster: cluster, events: make(chan runtime.Event, backlog)}
	s.close = sync.OnceFunc(func() { close(s.events) })
	err := d.do(ctx, OpEvents, "", func() error {
		d.subscribers[s] = struct{}{}
		return nil
	})
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.subscribers, s)
		s.close()
	})
	return s.events, nil
}

// BreakEvents ends all event streams.
func (d *Driver) BreakEvents() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.breakStreams()
}

// breakStreams ends all event streams. The lock is held.
func (d *Driver) breakStreams() {
	for s := range d.subscribers {
		delete(d.subscribers, s)
		s.close()
	}
}

// tell sends an event to the streams of the container's cluster. The lock is held.
func (d *Driver) tell(c *container, action string) {
	if d.loseEvents {
		return
	}
	e := runtime.Event{ContainerID: c.id, Labels: cloneLabels(c.state.Labels), Action: action, At: d.now()}
	for s := range d.subscribers {
		if s.cluster != e.Labels[runtime.LabelCluster] {
			continue
		}
		select {
		case s.events <- e:
		default:
		}
	}
}
