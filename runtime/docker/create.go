package docker

import (
	"context"
	"errors"
	"fmt"
	"strings"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/client"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

// Create makes the container's network when it is absent, then the container.
// The engine makes named volumes along with it.
func (d *Driver) Create(ctx context.Context, c runtime.Create) (string, error) {
	what := "create container " + c.Name
	if err := d.checkExternalVolumes(ctx, c.Spec.Mounts); err != nil {
		return "", fmt.Errorf("%s: %w", what, err)
	}
	s, err := d.surroundings(ctx, &c)
	if err != nil {
		return "", fmt.Errorf("%s: %w", what, err)
	}
	p := newPayload(&c, s)
	id, err := d.send(ctx, what, &c, p)
	if errors.Is(err, runtime.ErrNotFound) && !missingImage(err) {
		d.networks.forget()
		if s, err = d.surroundings(ctx, &c); err != nil {
			return "", fmt.Errorf("%s: %w", what, err)
		}
		p = newPayload(&c, s)
		id, err = d.send(ctx, what, &c, p)
	}
	if missingImage(err) && strings.Contains(p.config.Image, "@") {
		p.config.Image = runtime.PeerTag(p.config.Image)
		if id, peerErr := d.send(ctx, what, &c, p); !missingImage(peerErr) {
			return id, peerErr
		}
	}
	return id, err
}

// send is the only place from which a container's payload leaves.
func (d *Driver) send(ctx context.Context, what string, c *runtime.Create, p payload) (id string, err error) {
	if err := d.policy.check(c, p); err != nil {
		return "", fmt.Errorf("%s: %w", what, err)
	}
	err = d.call(ctx, classWrite, what, func(ctx context.Context, cl *client.Client) error {
		created, err := cl.ContainerCreate(ctx, p.config, p.host, p.net, nil, p.name)
		id = created.ID
		return err
	})
	return id, err
}

// surroundings finds out what the payload depends on besides the request.
func (d *Driver) surroundings(ctx context.Context, c *runtime.Create) (s surroundings, err error) {
	if c.Limits.MilliCPU > 0 {
		if s.cores, err = d.hostCores(ctx); err != nil {
			return s, err
		}
	}
	if c.Network != "" && c.Spec.NetworkMode == "" {
		if s.network, err = d.ensureNetwork(ctx, c.Network, c.NetworkLabels); err != nil {
			return s, err
		}
	}
	cl, err := d.client(ctx, classWrite)
	if err != nil {
		return s, classify(ctx, "reach the engine", err)
	}
	s.api = cl.ClientVersion()
	return s, nil
}

// missingImage reports whether a create failed for want of the image.
func missingImage(err error) bool {
	return errors.Is(err, runtime.ErrNotFound) && strings.Contains(strings.ToLower(err.Error()), "no such image")
}

// checkExternalVolumes refuses external volumes that do not exist, which the
// engine would make empty, and those that are binds of protected paths.
func (d *Driver) checkExternalVolumes(ctx context.Context, mounts []cluster.Mount) error {
	for _, m := range mounts {
		if m.Type != cluster.MountVolume || !m.External {
			continue
		}
		var options map[string]string
		err := d.call(ctx, classRead, "look at volume "+m.Source, func(ctx context.Context, cl *client.Client) error {
			v, err := cl.VolumeInspect(ctx, m.Source)
			options = v.Options
			if cerrdefs.IsNotFound(err) {
				return fmt.Errorf("%w: external volume %q does not exist on this host; create it or drop external", runtime.ErrInvalid, m.Source)
			}
			return err
		})
		if err != nil {
			return err
		}
		if device := options["device"]; strings.HasPrefix(device, "/") {
			if err := d.policy.checkSource(device); err != nil {
				return fmt.Errorf("external volume %q: %w", m.Source, err)
			}
		}
	}
	return nil
}
