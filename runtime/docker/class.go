package docker

import (
	"context"
	"errors"
	"time"

	"github.com/docker/docker/client"
)

// class groups calls that may hold each other up. Each has its own connections.
type class int

const (
	classRead     class = iota // list, inspect
	classWrite                 // create, start, remove, networks
	classStop                  // waits for the container's grace
	classRegistry              // the engine asks a registry
	classTransfer              // pull, load, save, build
	classStream                // events, logs, exec
	classes
)

// Deadlines of single calls. A stop gets its grace on top; a stream's deadline
// covers its beginning only.
const (
	pingDeadline     = 2 * time.Second
	readDeadline     = 5 * time.Second
	writeDeadline    = 60 * time.Second
	stopDeadline     = 30 * time.Second
	registryDeadline = 15 * time.Second
	transferDeadline = time.Hour
	streamDeadline   = 10 * time.Second
)

var deadlines = [classes]time.Duration{
	classRead:     readDeadline,
	classWrite:    writeDeadline,
	classStop:     stopDeadline,
	classRegistry: registryDeadline,
	classTransfer: transferDeadline,
	classStream:   streamDeadline,
}

// call runs f with the class's client and deadline and sorts its error.
func (d *Driver) call(ctx context.Context, k class, what string, f func(context.Context, *client.Client) error) error {
	return d.callFor(ctx, k, deadlines[k], what, f)
}

// callFor is call with another deadline.
func (d *Driver) callFor(ctx context.Context, k class, limit time.Duration, what string,
	f func(context.Context, *client.Client) error,
) error {
	inner, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	c, err := d.client(inner, k)
	if err == nil {
		err = f(inner, c)
	}
	return classify(ctx, what, err)
}

// begin runs f, which opens a stream, with the deadline of its beginning: the
// context that f gets ends with ctx or when f has not returned in time. The
// caller calls stop when it is done with the stream.
func (d *Driver) begin(ctx context.Context, what string, f func(context.Context, *client.Client) error) (stop func(), err error) {
	inner, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(streamDeadline, func() { cancel(context.DeadlineExceeded) })
	c, err := d.client(inner, classStream)
	if err == nil {
		err = f(inner, c)
	}
	if !timer.Stop() && err == nil {
		err = context.DeadlineExceeded
	}
	if err != nil {
		if errors.Is(context.Cause(inner), context.DeadlineExceeded) {
			err = context.DeadlineExceeded
		}
		cancel(nil)
		return nil, classify(ctx, what, err)
	}
	return func() { cancel(nil) }, nil
}
