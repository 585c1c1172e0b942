package docker

import (
	"maps"
	"os"

	"github.com/docker/docker/api/types/mount"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

// mounts translates the spec's mounts. A bind whose source the engine shall
// make goes into binds, the older form, because the newer one cannot say so
// before API 1.42.
func mounts(c *runtime.Create) (binds []string, out []mount.Mount) {
	for _, m := range c.Spec.Mounts {
		if m.Type == cluster.MountBind && m.CreateHostPath {
			binds = append(binds, bind(m))
			continue
		}
		out = append(out, newMount(c, m))
	}
	return binds, out
}

// bind is the form SOURCE:TARGET[:OPTIONS].
func bind(m cluster.Mount) string {
	options := "rw"
	if m.ReadOnly {
		options = "ro"
	}
	if m.Propagation != "" {
		options += "," + m.Propagation
	}
	return m.Source + ":" + m.Target + ":" + options
}

func newMount(c *runtime.Create, m cluster.Mount) mount.Mount {
	out := mount.Mount{Type: mount.Type(m.Type), Source: m.Source, Target: m.Target, ReadOnly: m.ReadOnly}
	switch m.Type {
	case cluster.MountBind:
		if m.Propagation != "" {
			out.BindOptions = &mount.BindOptions{Propagation: mount.Propagation(m.Propagation)}
		}
	case cluster.MountVolume:
		out.VolumeOptions = &mount.VolumeOptions{NoCopy: m.NoCopy}
		if !m.External && m.Source != "" {
			out.Source = c.VolumePrefix + m.Source
			out.VolumeOptions.Labels = labelsOfVolume(c.VolumeLabels, m.Labels)
		}
	case cluster.MountTmpfs:
		out.TmpfsOptions = &mount.TmpfsOptions{SizeBytes: m.TmpfsSize, Mode: os.FileMode(m.TmpfsMode)}
	}
	return out
}

// labelsOfVolume merges the user's labels over Muster's, for the policy to see
// what was forged.
func labelsOfVolume(own, user map[string]string) map[string]string {
	out := make(map[string]string, len(own)+len(user))
	maps.Copy(out, own)
	maps.Copy(out, user)
	return out
}
