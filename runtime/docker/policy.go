package docker

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"

	"github.com/musterhq/muster/runtime"
)

// reserved is the namespace of Muster's own labels.
const reserved = "muster."

var (
	// ourName is what the names of our containers and networks look like.
	ourName = regexp.MustCompile(`^muster-[a-z0-9][a-z0-9-]*$`)
	// networkID is an engine's ID of a network.
	networkID = regexp.MustCompile(`^[0-9a-f]{64}$`)
	// volumeName is the engine's own rule for names of local volumes.
	volumeName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]*$`)
)

// policy is the one validator of what is sent to the engine. Every create
// passes the final payload through it, whatever way the request took, so that
// a rule cannot hold on one way and be forgotten on another.
type policy struct {
	protected []string                     // host paths that no bind may touch
	counted   []string                     // device files that only placement gives away
	resolve   func(string) (string, error) // follows symbolic links
}

// check returns an error with runtime.ErrRefused for a payload that may not be
// sent. c says which labels are Muster's own.
func (p policy) check(c *runtime.Create, pl payload) error {
	for _, rule := range []func() error{
		func() error { return checkName(pl.name) },
		func() error { return checkLabels(ownLabels(c), pl.config.Labels) },
		func() error { return checkNetworks(c, pl) },
		func() error { return checkNamespaces(pl.host) },
		func() error { return checkLifecycle(pl.host) },
		func() error { return p.checkDevices(c, pl.host) },
		func() error { return p.checkBinds(pl.host.Binds) },
		func() error { return p.checkMounts(c.VolumeLabels, pl.host.Mounts) },
	} {
		if err := rule(); err != nil {
			return err
		}
	}
	return nil
}

func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %s", runtime.ErrRefused, fmt.Sprintf(format, args...))
}

func checkName(name string) error {
	if !ourName.MatchString(name) {
		return refuse("container name %q is not of the form muster-STACK-SERVICE-SLOT-TASK", name)
	}
	return nil
}

func checkLabels(own, final map[string]string) error {
	if own[runtime.LabelCluster] == "" {
		return refuse("label %s is missing", runtime.LabelCluster)
	}
	return checkReserved(own, final)
}

// checkReserved refuses labels in Muster's namespace that are not Muster's.
func checkReserved(own, final map[string]string) error {
	for k, v := range final {
		if strings.HasPrefix(k, reserved) && v != own[k] {
			return refuse("label %q: names that begin with %q are Muster's own; rename it", k, reserved)
		}
	}
	return nil
}

// checkNamespaces refuses to share a namespace with another container.
func checkNamespaces(h *container.HostConfig) error {
	for what, mode := range map[string]string{
		"pid": string(h.PidMode), "ipc": string(h.IpcMode), "uts": string(h.UTSMode),
		"userns": string(h.UsernsMode), "cgroup": string(h.Cgroup),
	} {
		if strings.HasPrefix(mode, "container:") {
			return refuse("%s namespace of another container (%q)", what, mode)
		}
	}
	if len(h.VolumesFrom) > 0 {
		return refuse("volumes of another container (%q)", h.VolumesFrom)
	}
	if len(h.Links) > 0 {
		return refuse("links to other containers (%q)", h.Links)
	}
	return nil
}

// checkLifecycle keeps restarts and removal in the agent's hands.
func checkLifecycle(h *container.HostConfig) error {
	if h.RestartPolicy.Name != container.RestartPolicyDisabled {
		return refuse("engine restart policy %q: the agent restarts containers itself", h.RestartPolicy.Name)
	}
	if h.AutoRemove {
		return refuse("automatic removal: the agent removes containers itself")
	}
	return nil
}

// checkBinds judges binds of the form SOURCE:TARGET[:OPTIONS].
func (p policy) checkBinds(binds []string) error {
	for _, b := range binds {
		parts := strings.Split(b, ":")
		if len(parts) != 3 {
			return refuse("bind %q: a path with a colon cannot be made on the host; create it and use the long syntax", b)
		}
		if err := p.checkSource(parts[0]); err != nil {
			return err
		}
	}
	return nil
}

func (p policy) checkMounts(own map[string]string, mounts []mount.Mount) error {
	for _, m := range mounts {
		switch m.Type {
		case mount.TypeBind:
			if err := p.checkSource(m.Source); err != nil {
				return err
			}
		case mount.TypeVolume:
			if err := checkVolume(own, m); err != nil {
				return err
			}
		case mount.TypeTmpfs:
		default:
			return refuse("mount type %q: only bind, volume and tmpfs are known", m.Type)
		}
	}
	return nil
}

// checkVolume refuses volumes that are binds in disguise: the local driver
// mounts whatever its options type, o and device say.
func checkVolume(own map[string]string, m mount.Mount) error {
	if m.Source != "" && !volumeName.MatchString(m.Source) {
		return refuse("volume name %q: use letters, digits, dots, hyphens and underscores", m.Source)
	}
	if m.VolumeOptions == nil {
		return nil
	}
	if err := checkReserved(own, m.VolumeOptions.Labels); err != nil || m.VolumeOptions.DriverConfig == nil {
		return err
	}
	d := m.VolumeOptions.DriverConfig
	if (d.Name == "" || d.Name == "local") && len(d.Options) > 0 {
		return refuse("volume %q: options of the local driver can mount any host path", m.Source)
	}
	return nil
}
