package docker

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/docker/docker/client"

	"github.com/musterhq/muster/runtime"
)

// Create makes the container's networks when they are absent, then the container,
// and brings it into all of them. The engine makes named volumes along with it.
func (d *Driver) Create(ctx context.Context, c runtime.Create) (string, error) {
	what := "create container " + c.Name
	if err := d.checkVolumes(ctx, &c); err != nil {
		return "", fmt.Errorf("%s: %w", what, err)
	}
	id, err := d.create(ctx, what, &c)
	if errors.Is(err, runtime.ErrNotFound) && !missingImage(err) {
		d.networks.forget() // one was removed behind our back
		id, err = d.create(ctx, what, &c)
	}
	return id, err
}

// create tries once.
func (d *Driver) create(ctx context.Context, what string, c *runtime.Create) (string, error) {
	s, err := d.surroundings(ctx, c)
	if err != nil {
		return "", fmt.Errorf("%s: %w", what, err)
	}
	p := newPayload(c, s)
	id, err := d.send(ctx, what, c, p)
	if missingImage(err) && strings.Contains(p.config.Image, "@") {
		p.config.Image = runtime.PeerTag(p.config.Image)
		peerID, peerErr := d.send(ctx, what, c, p)
		if !missingImage(peerErr) {
			id, err = peerID, peerErr
		}
	}
	if err != nil {
		return id, err
	}
	if err := d.joinAll(ctx, what, id, c, p.joins); err != nil {
		return "", err
	}
	return id, nil
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
	if c.Limits.Disk > 0 {
		if s.quota, err = d.hasQuota(ctx); err != nil {
			return s, err
		}
	}
	for i := range c.Networks {
		if err := d.policy.checkBridge(&c.Networks[i]); err != nil {
			return s, err
		}
		ref, err := d.ensureNetwork(ctx, &c.Networks[i])
		if err != nil {
			return s, err
		}
		s.networks = append(s.networks, ref)
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
