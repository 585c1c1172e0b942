package docker

import (
	"context"
	"time"

	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/client"

	"github.com/musterhq/muster/runtime"
)

// watched are the actions that change what a task is; health checks make an
// exec_* event at every turn, which nobody needs.
var watched = []events.Action{
	events.ActionStart, events.ActionDie, events.ActionDestroy, events.ActionOOM,
	events.ActionPause, events.ActionUnPause, events.ActionHealthStatus,
}

// Events streams changes of the cluster's containers. A consumer that does not
// read holds the stream up, not the driver.
func (d *Driver) Events(ctx context.Context, clusterID string) (<-chan runtime.Event, error) {
	f := filters.NewArgs(filters.Arg("type", string(events.ContainerEventType)),
		filters.Arg("label", runtime.LabelCluster+"="+clusterID))
	for _, a := range watched {
		f.Add("event", string(a))
	}
	var in <-chan events.Message
	var errs <-chan error
	stop, err := d.begin(ctx, "follow events", func(ctx context.Context, cl *client.Client) error {
		in, errs = cl.Events(ctx, events.ListOptions{Filters: f})
		select {
		case err := <-errs:
			return err
		default:
			return nil
		}
	})
	if err != nil {
		return nil, err
	}
	out := make(chan runtime.Event)
	go func() {
		defer close(out)
		defer stop()
		for {
			select {
			case m := <-in:
				select {
				case out <- newEvent(m):
				case <-ctx.Done():
					return
				}
			case <-errs: //nolint:errcheck // a broken stream says so by its end
				return
			}
		}
	}()
	return out, nil
}

func newEvent(m events.Message) runtime.Event {
	return runtime.Event{
		ContainerID: m.Actor.ID,
		Labels:      m.Actor.Attributes,
		Action:      string(m.Action),
		At:          time.Unix(0, m.TimeNano).UTC(),
	}
}
