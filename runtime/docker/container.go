package docker

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"
	"github.com/docker/go-connections/nat"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

// Inspect returns one container by ID or name.
func (d *Driver) Inspect(ctx context.Context, id string) (runtime.Container, error) {
	c, err := d.inspect(ctx, id)
	if err != nil {
		return runtime.Container{}, err
	}
	return newContainer(c), nil
}

func (d *Driver) inspect(ctx context.Context, id string) (out container.InspectResponse, err error) {
	err = d.call(ctx, classRead, "inspect container "+id, func(ctx context.Context, cl *client.Client) error {
		out, err = cl.ContainerInspect(ctx, id)
		return err
	})
	return out, err
}

// Start starts a container. When a network of it is gone, or was never joined, the
// error is ErrNotFound, as if the container were: it must be made anew to get one.
func (d *Driver) Start(ctx context.Context, id string) error {
	what := "start container " + id
	c, err := d.inspect(ctx, id)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if err := d.policy.checkStart(c); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if name := unjoined(c); name != "" {
		return fmt.Errorf("%s: %w: it is not in network %s, its create was not finished", what, runtime.ErrNotFound, name)
	}
	err = d.call(ctx, classWrite, what, func(ctx context.Context, cl *client.Client) error {
		err := cl.ContainerStart(ctx, id, container.StartOptions{})
		if cerrdefs.IsNotFound(err) {
			d.networks.forget()
		}
		return err
	})
	if err != nil || len(c.Mounts) == 0 {
		return err
	}
	return d.checkStarted(ctx, id)
}

// Stop stops a container; its deadline is the grace and 30 seconds.
func (d *Driver) Stop(ctx context.Context, id string, grace time.Duration) error {
	seconds := int((grace + time.Second - 1) / time.Second)
	return d.callFor(ctx, classStop, grace+stopDeadline, "stop container "+id, func(ctx context.Context, cl *client.Client) error {
		err := cl.ContainerStop(ctx, id, container.StopOptions{Timeout: &seconds})
		if cerrdefs.IsNotFound(err) {
			return nil
		}
		return err
	})
}

// Remove removes a container by force, with its anonymous volumes. One whose
// removal is under way already counts as removed.
func (d *Driver) Remove(ctx context.Context, id string) error {
	return d.call(ctx, classWrite, "remove container "+id, func(ctx context.Context, cl *client.Client) error {
		err := cl.ContainerRemove(ctx, id, container.RemoveOptions{Force: true, RemoveVolumes: true})
		if cerrdefs.IsNotFound(err) || cerrdefs.IsConflict(err) {
			return nil
		}
		return err
	})
}

// newContainer translates what an inspect said.
func newContainer(c container.InspectResponse) runtime.Container {
	out := runtime.Container{
		ID:      c.ID,
		Name:    strings.TrimPrefix(c.Name, "/"),
		Image:   c.Image,
		Created: parseTime(c.Created),
	}
	if c.Config != nil {
		out.Labels = c.Config.Labels
	}
	if s := c.State; s != nil {
		out.Status = newStatus(s.Status)
		out.ExitCode, out.OOM, out.Error = s.ExitCode, s.OOMKilled, s.Error
		out.Started, out.Finished = parseTime(s.StartedAt), parseTime(s.FinishedAt)
		if s.Health != nil {
			out.Health, out.Unhealthy = newHealth(s.Health.Status), failedCheck(s.Health.Log)
		}
	}
	if c.NetworkSettings != nil {
		out.Ports = portsOf(c.NetworkSettings.Ports)
		out.Address = addressOf(c.NetworkSettings.Networks)
	}
	return out
}

// addressOf is the address in the first network, by name, that gives one.
func addressOf(networks map[string]*network.EndpointSettings) netip.Addr {
	for _, name := range slices.Sorted(maps.Keys(networks)) {
		if e := networks[name]; e != nil {
			if a, err := netip.ParseAddr(e.IPAddress); err == nil {
				return a
			}
		}
	}
	return netip.Addr{}
}

// newStatus maps the engine's word. Only somebody else's restart policy makes
// a container "restarting"; its next state is the one to act on.
func newStatus(s string) runtime.Status {
	if s == container.StateRestarting {
		return runtime.StatusRunning
	}
	return runtime.Status(s)
}

func newHealth(s string) cluster.Health {
	switch s {
	case container.Starting:
		return cluster.HealthStarting
	case container.Healthy:
		return cluster.HealthHealthy
	case container.Unhealthy:
		return cluster.HealthUnhealthy
	}
	return cluster.HealthNone
}

// failedCheck is what the last of the checks said, in one line, if it failed.
func failedCheck(checks []*container.HealthcheckResult) string {
	if len(checks) == 0 || checks[len(checks)-1].ExitCode == 0 {
		return ""
	}
	last := checks[len(checks)-1]
	const most = 200 // bytes
	text := strings.Join(strings.Fields(last.Output), " ")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "..."
	}
	return cmp.Or(text, fmt.Sprintf("exit code %d", last.ExitCode))
}

// portsOf lists the published ports, each once, in order.
func portsOf(m nat.PortMap) []cluster.PortBinding {
	var out []cluster.PortBinding
	for port, bindings := range m {
		for _, b := range bindings {
			host, err := strconv.ParseUint(b.HostPort, 10, 16)
			if err != nil {
				continue
			}
			out = append(out, cluster.PortBinding{Target: uint16(port.Int()), Host: uint16(host), Protocol: port.Proto()})
		}
	}
	return sortPorts(out)
}

func sortPorts(ports []cluster.PortBinding) []cluster.PortBinding {
	slices.SortFunc(ports, func(a, b cluster.PortBinding) int {
		return cmp.Or(cmp.Compare(a.Target, b.Target), cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.Host, b.Host))
	})
	return slices.Compact(ports)
}
