package compose

import (
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/docker/go-units"

	"github.com/musterhq/muster/cluster"
)

func (c *converter) mounts() ([]cluster.Mount, error) {
	var out []cluster.Mount
	for i, v := range c.config.Volumes {
		m, err := c.mount(fmt.Sprintf("volumes[%d]", i), v)
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	for i, s := range c.config.Tmpfs {
		m, err := c.tmpfs(fmt.Sprintf("tmpfs[%d]", i), s)
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

func (c *converter) mount(name string, v types.ServiceVolumeConfig) (cluster.Mount, error) {
	m := cluster.Mount{Source: v.Source, Target: clean(v.Target), ReadOnly: v.ReadOnly}
	switch v.Type {
	case types.VolumeTypeBind:
		c.bind(name, v, &m)
	case types.VolumeTypeVolume:
		c.volume(v, &m)
	case types.VolumeTypeTmpfs:
		m.Type = cluster.MountTmpfs
		if v.Tmpfs != nil {
			m.TmpfsSize, m.TmpfsMode = int64(v.Tmpfs.Size), v.Tmpfs.Mode
		}
	default:
		return m, c.invalid(name+".type", fmt.Sprintf("%q is not supported", v.Type), "use bind, volume or tmpfs")
	}
	return m, nil
}

// bind follows the specification in that a missing source is made unless the
// long form says otherwise.
func (c *converter) bind(name string, v types.ServiceVolumeConfig, m *cluster.Mount) {
	m.Type = cluster.MountBind
	m.Source = clean(v.Source)
	m.CreateHostPath = true
	missing := "and is made there, empty, where it is missing"
	if v.Bind != nil {
		m.CreateHostPath = bool(v.Bind.CreateHostPath)
		m.Propagation = v.Bind.Propagation
	}
	if !m.CreateHostPath {
		missing = "and a task cannot start where it is missing"
	}
	c.warn(name, fmt.Sprintf("%s exists only on the node where the task runs, %s", m.Source, missing))
}

func (c *converter) volume(v types.ServiceVolumeConfig, m *cluster.Mount) {
	m.Type = cluster.MountVolume
	if v.Volume != nil {
		m.NoCopy = v.Volume.NoCopy
		m.Labels = nonEmpty(v.Volume.Labels)
	}
	if m.Source == "" {
		return // lives as long as its container
	}
	config := c.project.Volumes[v.Source]
	m.External = bool(config.External)
	if m.External && config.Name != "" {
		m.Source = config.Name
	}
	if !m.External {
		m.Labels = merged(config.Labels, m.Labels)
	}
	c.volumes[v.Source] = Volume{Name: m.Source, External: m.External, Labels: nonEmpty(config.Labels)}
}

// tmpfs reads "TARGET[:OPTION,...]"; options other than size and mode are named
// in a warning.
func (c *converter) tmpfs(name, s string) (cluster.Mount, error) {
	target, options, _ := strings.Cut(s, ":")
	m := cluster.Mount{Type: cluster.MountTmpfs, Target: clean(target)}
	for option := range strings.SplitSeq(options, ",") {
		key, value, _ := strings.Cut(option, "=")
		switch key {
		case "", "rw":
		case "ro":
			m.ReadOnly = true
		case "size":
			size, err := units.RAMInBytes(value)
			if err != nil {
				return m, c.invalid(name, fmt.Sprintf("size %q is not a size", value), "give a size such as 64m")
			}
			m.TmpfsSize = size
		case "mode":
			mode, err := strconv.ParseUint(value, 8, 32)
			if err != nil {
				return m, c.invalid(name, fmt.Sprintf("mode %q is not an octal number", value), "give a mode such as 1777")
			}
			m.TmpfsMode = uint32(mode)
		default:
			c.warn(name, fmt.Sprintf("option %q has no effect", option))
		}
	}
	return m, nil
}

// clean drops what Compose tolerates in a path: trailing slashes and dots.
func clean(p string) string {
	if p == "" {
		return ""
	}
	return path.Clean(p)
}

// merged is base with over on top.
func merged(base types.Labels, over map[string]string) map[string]string {
	out := make(map[string]string, len(base)+len(over))
	for key, value := range base {
		out[key] = value
	}
	for key, value := range over {
		out[key] = value
	}
	return nonEmpty(out)
}
