package docker

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/client"
	"github.com/docker/go-units"
	"golang.org/x/sync/errgroup"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

// inspectsAtOnce bounds the inspects of one list.
const inspectsAtOnce = 4

// details remembers the last inspect of each listed container. The engine's
// list says neither exit times nor start times, but it describes them ("Up 5
// minutes (healthy)"); while that is what the remembered inspect would be
// described as, the container need not be asked again.
type details struct {
	mu   sync.Mutex
	byID map[string]runtime.Container
}

func newDetails() *details { return &details{byID: map[string]runtime.Container{}} }

// List returns the cluster's containers. One that cannot be inspected in time
// is reported as the list or its last inspect described it: one wedged
// container must not hide the others.
func (d *Driver) List(ctx context.Context, clusterID string) ([]runtime.Container, error) {
	var listed []container.Summary
	err := d.call(ctx, classRead, "list containers", func(ctx context.Context, cl *client.Client) (err error) {
		listed, err = cl.ContainerList(ctx, container.ListOptions{
			All:     true,
			Filters: filters.NewArgs(filters.Arg("label", runtime.LabelCluster+"="+clusterID)),
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	known, now := d.details.snapshot(), time.Now()
	found := make([]*runtime.Container, len(listed))
	var g errgroup.Group
	g.SetLimit(inspectsAtOnce)
	for i, s := range listed {
		last, ok := known[s.ID]
		if ok && describes(s, last, now) {
			found[i] = &last
			continue
		}
		g.Go(func() error {
			c, err := d.Inspect(ctx, s.ID)
			switch {
			case errors.Is(err, runtime.ErrNotFound):
			case err == nil:
				found[i] = &c
			case ok:
				found[i] = &last
			default:
				c = fromSummary(s)
				found[i] = &c
			}
			return nil
		})
	}
	_ = g.Wait() // no function returns an error
	if err := ctx.Err(); err != nil {
		return nil, classify(ctx, "list containers", err)
	}
	out := make([]runtime.Container, 0, len(found))
	for _, c := range found {
		if c != nil {
			out = append(out, *c)
		}
	}
	d.details.replace(clusterID, out)
	return out, nil
}

func (d *details) snapshot() map[string]runtime.Container {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.byID)
}

func (d *details) replace(clusterID string, all []runtime.Container) {
	d.mu.Lock()
	defer d.mu.Unlock()
	maps.DeleteFunc(d.byID, func(_ string, c runtime.Container) bool {
		return c.Labels[runtime.LabelCluster] == clusterID
	})
	for _, c := range all {
		d.byID[c.ID] = c
	}
}

// describes reports whether the list's words are what the inspect c amounts to.
func describes(s container.Summary, c runtime.Container, now time.Time) bool {
	return newStatus(s.State) == c.Status && s.Status == describe(c, now) &&
		slices.Equal(portsOfSummary(s.Ports), c.Ports)
}

// describe words a container's state as the engine's list does. Where an engine
// words it otherwise, the container is inspected again at every list.
func describe(c runtime.Container, now time.Time) string {
	since := func(t time.Time) string { return units.HumanDuration(now.Sub(t)) }
	switch c.Status {
	case runtime.StatusCreated:
		return "Created"
	case runtime.StatusPaused:
		return "Up " + since(c.Started) + " (Paused)"
	case runtime.StatusRunning:
		up := "Up " + since(c.Started)
		switch c.Health {
		case cluster.HealthNone:
			return up
		case cluster.HealthStarting:
			return up + " (health: starting)"
		}
		return up + " (" + string(c.Health) + ")"
	case runtime.StatusExited:
		return "Exited (" + strconv.Itoa(c.ExitCode) + ") " + since(c.Finished) + " ago"
	}
	return "" // removing, dead: always ask
}

// fromSummary makes what it can of a list entry.
func fromSummary(s container.Summary) runtime.Container {
	out := runtime.Container{
		ID:      s.ID,
		Labels:  s.Labels,
		Image:   s.ImageID,
		Status:  newStatus(s.State),
		Created: time.Unix(s.Created, 0).UTC(),
		Ports:   portsOfSummary(s.Ports),
	}
	if s.NetworkSettings != nil {
		out.Address = addressOf(s.NetworkSettings.Networks)
	}
	if len(s.Names) > 0 {
		out.Name = strings.TrimPrefix(s.Names[0], "/")
	}
	for text, h := range map[string]cluster.Health{
		"(healthy)": cluster.HealthHealthy, "(unhealthy)": cluster.HealthUnhealthy, "(health: starting)": cluster.HealthStarting,
	} {
		if strings.HasSuffix(s.Status, text) {
			out.Health = h
		}
	}
	if rest, ok := strings.CutPrefix(s.Status, "Exited ("); ok {
		code, _, _ := strings.Cut(rest, ")")
		out.ExitCode, _ = strconv.Atoi(code)
	}
	return out
}

func portsOfSummary(ports []container.Port) []cluster.PortBinding {
	var out []cluster.PortBinding
	for _, p := range ports {
		if p.PublicPort != 0 {
			out = append(out, cluster.PortBinding{Target: p.PrivatePort, Host: p.PublicPort, Protocol: p.Type})
		}
	}
	return sortPorts(out)
}
