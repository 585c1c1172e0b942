package images

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
)

const (
	// sendAtOnce is how many images leave this node at a time: more would only
	// take turns on its disk and its link. Who is turned away is told who else
	// has the image or is about to, so that many nodes make a tree.
	sendAtOnce = 2
	// rememberGiven is how many receivers of an image are remembered.
	rememberGiven = 12
)

// errOvertaken ends a transfer that nobody waits for when one comes that
// somebody does.
var errOvertaken = errors.New("another transfer needs this one's place")

// outgoing are the images under way from here; the zero value is ready.
type outgoing struct {
	mu    sync.Mutex
	under []*transfer
	given map[string][]cluster.NodeID // by image, newest last
}

type transfer struct {
	idle   bool // nobody waits for it
	cancel context.CancelCauseFunc
}

// begin takes a place for a transfer of the image id to a node. Too many at once
// are refused as unavailable: whoever asks tries another node, or again. One
// that nobody waits for gets a place only where nothing else is under way, and
// gives it up when it is needed.
func (o *outgoing) begin(ctx context.Context, id string, to cluster.NodeID, idle bool) (inner context.Context, end func(), err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !idle {
		o.overtake()
	}
	if len(o.under) >= sendAtOnce || idle && len(o.under) > 0 {
		busy := api.Errorf(api.CodeUnavailable, "this node is busy sending %d images", len(o.under)).
			WithHint("try another node, or again in a moment")
		busy.Try = slices.Clone(o.given[id])
		return nil, nil, busy
	}
	inner, cancel := context.WithCancelCause(ctx)
	t := &transfer{idle: idle, cancel: cancel}
	o.under = append(o.under, t)
	o.remember(id, to)
	return inner, func() {
		cancel(nil)
		o.mu.Lock()
		defer o.mu.Unlock()
		o.under = slices.DeleteFunc(o.under, func(u *transfer) bool { return u == t })
	}, nil
}

// overtake ends idle transfers where every place is taken. The lock is held.
func (o *outgoing) overtake() {
	for i := 0; i < len(o.under) && len(o.under) >= sendAtOnce; i++ {
		if t := o.under[i]; t.idle {
			t.cancel(errOvertaken)
			o.under = slices.Delete(o.under, i, i+1)
			i--
		}
	}
}

// remember notes who receives an image. The lock is held.
func (o *outgoing) remember(id string, to cluster.NodeID) {
	if o.given == nil {
		o.given = map[string][]cluster.NodeID{}
	}
	list := slices.DeleteFunc(o.given[id], func(n cluster.NodeID) bool { return n == to })
	o.given[id] = append(list, to)
	if over := len(o.given[id]) - rememberGiven; over > 0 {
		o.given[id] = slices.Delete(o.given[id], 0, over)
	}
}
