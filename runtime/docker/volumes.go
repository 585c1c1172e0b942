package docker

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/client"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

// checkVolumes looks at the volumes that the engine has already. It takes one
// with whatever options it was made, by whomever; and it would make an external
// one that is missing, empty.
func (d *Driver) checkVolumes(ctx context.Context, c *runtime.Create) error {
	for _, m := range c.Spec.Mounts {
		if m.Type != cluster.MountVolume || m.Source == "" {
			continue
		}
		name := m.Source
		if !m.External {
			name = c.VolumePrefix + m.Source
		}
		var driver string
		var options map[string]string
		err := d.call(ctx, classRead, "look at volume "+name, func(ctx context.Context, cl *client.Client) error {
			v, err := cl.VolumeInspect(ctx, name)
			driver, options = v.Driver, v.Options
			switch {
			case !cerrdefs.IsNotFound(err):
				return err
			case m.External:
				return fmt.Errorf("%w: external volume %q does not exist on this host; create it or drop external", runtime.ErrInvalid, name)
			}
			return nil
		})
		if err == nil {
			err = d.policy.checkOptions(name, driver, options)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// checkOptions judges a volume that exists. The local driver hands its options
// to mount(2): a path in them is a bind in disguise.
func (p policy) checkOptions(name, driver string, options map[string]string) error {
	if driver != "" && driver != "local" || len(options) == 0 {
		return nil
	}
	flags := strings.Split(options["o"], ",")
	binds := slices.Contains(flags, "bind") || slices.Contains(flags, "rbind")
	paths := []string{}
	if device := options["device"]; binds || strings.HasPrefix(device, "/") {
		paths = append(paths, device)
	}
	for _, flag := range flags {
		key, value, _ := strings.Cut(flag, "=")
		if layers := strings.HasSuffix(strings.TrimSuffix(key, "+"), "dir"); layers || strings.HasPrefix(value, "/") {
			paths = append(paths, strings.Split(value, ":")...) // as overlay writes its lower ones
		}
	}
	for _, path := range paths {
		if len(path) > 1 {
			path = strings.TrimSuffix(path, "/")
		}
		if !filepath.IsAbs(path) {
			return refuse("volume %q mounts %q, which depends on where the engine was started; make the volume anew with an absolute path", name, path)
		}
		if err := p.checkSource(path); err != nil {
			return fmt.Errorf("volume %q: %w", name, err)
		}
	}
	return nil
}
