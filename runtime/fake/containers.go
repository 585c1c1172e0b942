package fake

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/musterhq/muster/runtime"
)

// List returns the cluster's containers, oldest first.
func (d *Driver) List(ctx context.Context, cluster string) (out []runtime.Container, err error) {
	err = d.do(ctx, OpList, "", func() error {
		out = d.list(func(c *container) bool { return c.state.Labels[runtime.LabelCluster] == cluster })
		return nil
	})
	return out, err
}

// Inspect returns one container by ID or name.
func (d *Driver) Inspect(ctx context.Context, id string) (out runtime.Container, err error) {
	err = d.do(ctx, OpInspect, id, func() error {
		c := d.find(id)
		if c == nil {
			return runtime.ErrNotFound
		}
		out = c.seen()
		return nil
	})
	return out, err
}

// Create makes a container and, where they are absent, its networks.
func (d *Driver) Create(ctx context.Context, c runtime.Create) (id string, err error) {
	err = d.do(ctx, OpCreate, c.Name, func() error {
		if d.find(c.Name) != nil {
			return runtime.ErrConflict
		}
		for _, device := range c.Devices {
			if device.Driver == "" && len(device.Paths) == 0 {
				return fmt.Errorf("%w: device %s of kind %s is not on this host", runtime.ErrRefused, device.ID, device.Kind)
			}
		}
		image, ok := d.findImage(imageOf(c))
		if !ok {
			return fmt.Errorf("%w: image %s", runtime.ErrNotFound, imageOf(c))
		}
		for i := range c.Networks {
			if err := d.ensureNetwork(&c.Networks[i]); err != nil {
				return err
			}
		}
		d.serial++
		id = hash("container " + strconv.Itoa(d.serial))
		labels := cloneLabels(c.Spec.Labels)
		maps.Copy(labels, c.Labels)
		d.containers[id] = &container{id: id, image: image.ID, request: c, state: runtime.Container{
			ID: id, Name: c.Name, Labels: labels, Image: image.ID,
			Status: runtime.StatusCreated, Created: d.now(),
		}}
		return nil
	})
	return id, err
}

func imageOf(c runtime.Create) string {
	if c.Spec.Image.Digest != "" {
		return c.Spec.Image.Digest
	}
	return c.Spec.Image.Ref
}

// Start starts a container.
func (d *Driver) Start(ctx context.Context, id string) error {
	return d.do(ctx, OpStart, id, func() error {
		c := d.find(id)
		if c == nil {
			return runtime.ErrNotFound
		}
		return d.start(c)
	})
}

// Stop stops a container as its script says.
func (d *Driver) Stop(ctx context.Context, id string, grace time.Duration) error {
	fault, err := d.enter(OpStop, id)
	if err == nil {
		err = d.suffer(ctx, fault)
	}
	if err == nil {
		err = d.stop(ctx, id, grace)
	}
	if err == nil && fault.After {
		err = fault.Err
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", OpStop, id, err)
	}
	return nil
}

// Remove removes a container, by force when it runs.
func (d *Driver) Remove(ctx context.Context, id string) error {
	return d.do(ctx, OpRemove, id, func() error {
		if c := d.find(id); c != nil {
			d.remove(c)
		}
		return nil
	})
}

// Logs writes the scripted output; following waits for the container's end.
func (d *Driver) Logs(ctx context.Context, id string, o runtime.LogOptions, w runtime.LogWriter) error {
	var lines []logged
	var exited chan struct{}
	err := d.do(ctx, OpLogs, id, func() error {
		c := d.find(id)
		if c == nil {
			return runtime.ErrNotFound
		}
		if c.running() {
			exited = c.exited
		}
		lines = selectLines(c.output, o)
		return nil
	})
	if err != nil {
		return err
	}
	for _, l := range lines {
		if err := w.Log(l.at, l.Stream, []byte(l.Text)); err != nil {
			return err
		}
	}
	if o.Follow && exited != nil {
		select {
		case <-exited:
		case <-ctx.Done():
		}
	}
	return nil
}

func selectLines(all []logged, o runtime.LogOptions) []logged {
	var out []logged
	for _, l := range all {
		if !l.at.Before(o.Since) && (o.Until.IsZero() || !l.at.After(o.Until)) {
			out = append(out, l)
		}
	}
	if o.Tail >= 0 && len(out) > o.Tail {
		out = out[len(out)-o.Tail:]
	}
	return out
}

// Exec runs the script's Exec.
func (d *Driver) Exec(ctx context.Context, id string, e runtime.Exec) (code int, err error) {
	var run func(context.Context, Exec) int
	err = d.do(ctx, OpExec, id, func() error {
		c := d.find(id)
		switch {
		case c == nil:
			return runtime.ErrNotFound
		case !c.running():
			return fmt.Errorf("%w: container %s is not running", runtime.ErrConflict, id)
		}
		run = c.script.Exec
		return nil
	})
	if err != nil || run == nil {
		return 0, err
	}
	return run(ctx, e), ctx.Err()
}

// Stats is what a running container's script says that it uses.
func (d *Driver) Stats(ctx context.Context, id string) (out runtime.Stats, err error) {
	err = d.do(ctx, OpStats, id, func() error {
		c := d.find(id)
		if c == nil || c.state.Status != runtime.StatusRunning {
			return runtime.ErrNotFound
		}
		now := d.now()
		ran := now.Sub(c.state.Started)
		out = runtime.Stats{At: now, CPU: ran * time.Duration(c.script.MilliCPU) / 1000, Memory: c.script.Memory}
		return nil
	})
	return out, err
}
