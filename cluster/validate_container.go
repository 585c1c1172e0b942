package cluster

import (
	"fmt"
	"maps"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Bounds of a container's lists and strings.
const (
	// MaxItems bounds every list of a container.
	MaxItems = 4_096
	// MaxArgument is the longest argument or environment string that Linux
	// takes, in bytes (MAX_ARG_STRLEN less its terminator).
	MaxArgument = 128<<10 - 1
	// MaxHostname is the longest host name of a container, in bytes
	// (HOST_NAME_MAX).
	MaxHostname = 64
)

// reservedLabels is the prefix of the labels by which Muster knows its own
// containers.
const reservedLabels = "muster."

var (
	capability = regexp.MustCompile(`^[A-Za-z_]+$`)
	hostname   = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`)
	sysctl     = regexp.MustCompile(`^[a-z0-9_-]+([./][A-Za-z0-9_-]+)+$`)
	ulimitName = regexp.MustCompile(`^[a-z]+$`)
)

// Validate reports the first rule that c breaks as a *FieldError. field is the
// place of the service, as in ServiceSpec.Validate.
func (c *ContainerSpec) Validate(field string) error {
	return first(
		c.Image.Validate(at(field, "image")),
		validateArgs(at(field, "command"), c.Command),
		validateArgs(at(field, "entrypoint"), c.Entrypoint),
		validateEnv(at(field, "environment"), c.Env),
		ValidateLabels(at(field, "labels"), c.Labels),
		c.Healthcheck.Validate(at(field, "healthcheck")),
		c.Probe.Validate(at(field, "x-muster.health"), c.NetworkMode),
		validateMounts(at(field, "volumes"), c.Mounts),
		c.validateProcess(field),
		c.validateIsolation(field),
	)
}

// validateProcess checks how the container's process starts, stops and logs.
func (c *ContainerSpec) validateProcess(field string) error {
	switch {
	case c.WorkingDir != "" && !path.IsAbs(c.WorkingDir):
		return Invalid(at(field, "working_dir"), fmt.Sprintf("%q is not absolute", clip(c.WorkingDir)), "start it with /")
	case c.Hostname != "" && (len(c.Hostname) > MaxHostname || !hostname.MatchString(c.Hostname)):
		return Invalid(at(field, "hostname"), fmt.Sprintf("%q is not a host name", clip(c.Hostname)),
			fmt.Sprintf("use at most %d letters, digits, dots and hyphens", MaxHostname))
	case c.Logging != nil && c.Logging.Driver == "" && len(c.Logging.Options) > 0:
		return Invalid(at(field, "logging.driver"), "is missing although options are set", "name the driver, such as json-file")
	}
	return first(
		validateSignal(at(field, "stop_signal"), c.StopSignal),
		validateDuration(at(field, "stop_grace_period"), c.StopGrace),
	)
}

// validateIsolation checks what the container may reach beside its own files.
func (c *ContainerSpec) validateIsolation(field string) error {
	for _, list := range []struct {
		name  string
		items []string
	}{
		{"extra_hosts", c.ExtraHosts},
		{"security_opt", c.SecurityOpt},
		{"group_add", c.GroupAdd},
		{"cap_add", c.CapAdd},
		{"cap_drop", c.CapDrop},
	} {
		if err := validateList(at(field, list.name), list.items); err != nil {
			return err
		}
	}
	switch c.NetworkMode {
	case "", "host", "none":
	default:
		return Invalid(at(field, "network_mode"), fmt.Sprintf("%q is not supported", clip(c.NetworkMode)), "use host or none, or leave it out")
	}
	return first(
		validateCapabilities(at(field, "cap_add"), c.CapAdd),
		validateCapabilities(at(field, "cap_drop"), c.CapDrop),
		validateUlimits(at(field, "ulimits"), c.Ulimits),
		validateExtraHosts(at(field, "extra_hosts"), c.ExtraHosts),
		validateDevices(at(field, "devices"), c.Devices),
		validateSysctls(at(field, "sysctls"), c.Sysctls),
		validateSize(at(field, "shm_size"), c.ShmSize),
	)
}

// Validate reports the first rule that h breaks as a *FieldError; field is the
// place of h. A nil check is valid.
func (h *Healthcheck) Validate(field string) error {
	if h == nil {
		return nil
	}
	const (
		maxRetries = 1_000
		hint       = `write it as ["CMD", "/bin/check"], ["CMD-SHELL", "check || exit 1"] or ["NONE"]`
	)
	if len(h.Test) > 0 {
		switch kind, n := h.Test[0], len(h.Test); {
		case kind == "NONE" && n == 1, kind == "CMD" && n > 1, kind == "CMD-SHELL" && n == 2:
		default:
			return Invalid(at(field, "test"), fmt.Sprintf("%q with %d arguments is not a test", clip(kind), n-1), hint)
		}
	}
	if err := first(
		validateArgs(at(field, "test"), h.Test),
		validateCount(at(field, "retries"), h.Retries, maxRetries, "give a number such as 3"),
	); err != nil {
		return err
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"interval", h.Interval},
		{"timeout", h.Timeout},
		{"start_period", h.StartPeriod},
		{"start_interval", h.StartInterval},
	} {
		if d.value != 0 && d.value < time.Millisecond {
			return Invalid(at(field, d.name), fmt.Sprintf("%s is less than a millisecond", d.value), "give a time such as 10s")
		}
		if err := validateDuration(at(field, d.name), d.value); err != nil {
			return err
		}
	}
	return nil
}

// ValidateLabels checks the labels of an object: keys are not empty, hold
// neither spaces nor "=", and leave the prefix "muster." alone. The error is a
// *FieldError below field.
func ValidateLabels(field string, labels map[string]string) error {
	return validateLabels(field, labels, func(string) bool { return false }, "choose another key")
}

// ValidateNodeLabels is ValidateLabels for those of a node, of which placement
// reads some with the prefix.
func ValidateNodeLabels(field string, labels map[string]string) error {
	read := func(key string) bool {
		name, taint := strings.CutPrefix(key, TaintPrefix)
		return key == PartitionLabel || taint && name != ""
	}
	return validateLabels(field, labels, read, "use "+PartitionLabel+" or "+TaintPrefix+"NAME, or choose another key")
}

func validateLabels(field string, labels map[string]string, reads func(key string) bool, hint string) error {
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		switch {
		case key == "":
			return Invalid(field, "has an empty key", "write labels as key: value")
		case len(key) > MaxItems:
			return Invalid(field, fmt.Sprintf("key %q has %d characters, at most %d are allowed", clip(key), len(key), MaxItems), "shorten it")
		case strings.HasPrefix(key, reservedLabels) && !reads(key):
			return Invalid(at(field, clip(key)), fmt.Sprintf("uses the reserved prefix %q", reservedLabels), hint)
		case strings.ContainsAny(key, "= \t\n"):
			return Invalid(at(field, clip(key)), "has a space or = in its key", "choose another key")
		}
	}
	return nil
}

func validateEnv(field string, env map[string]string) error {
	if len(env) > MaxItems {
		return Invalid(field, fmt.Sprintf("has %d entries, at most %d are allowed", len(env), MaxItems), "")
	}
	for _, key := range slices.Sorted(maps.Keys(env)) {
		switch {
		case key == "":
			return Invalid(field, "has an empty name", "write variables as NAME: value")
		case strings.ContainsAny(key, "= \t\n"):
			return Invalid(at(field, clip(key)), "has a space or = in its name", "write variables as NAME: value")
		case len(key)+1+len(env[key]) > MaxArgument:
			return Invalid(at(field, clip(key)), "is longer than the 128 KiB that Linux takes", "put the value into a file")
		}
	}
	return nil
}

func validateArgs(field string, args []string) error {
	if err := validateList(field, args); err != nil {
		return err
	}
	for i, arg := range args {
		if len(arg) > MaxArgument {
			return Invalid(fmt.Sprintf("%s[%d]", field, i), "is longer than the 128 KiB that Linux takes", "put the value into a file")
		}
	}
	return nil
}

func validateList(field string, items []string) error {
	if len(items) > MaxItems {
		return Invalid(field, fmt.Sprintf("has %d entries, at most %d are allowed", len(items), MaxItems), "")
	}
	return nil
}

func validateCapabilities(field string, list []string) error {
	for i, name := range list {
		if !capability.MatchString(name) {
			return Invalid(fmt.Sprintf("%s[%d]", field, i), fmt.Sprintf("%q is not a capability", clip(name)), "write it as NET_ADMIN or ALL")
		}
	}
	return nil
}

func validateUlimits(field string, list []Ulimit) error {
	const hint = "give numbers with soft at most hard, or -1 for no limit"
	seen := make(map[string]bool, len(list))
	for _, u := range list {
		where := at(field, clip(u.Name))
		switch {
		case !ulimitName.MatchString(u.Name):
			return Invalid(where, "is not the name of a limit", "use a name such as nofile")
		case seen[u.Name]:
			return Invalid(where, "is set twice", "remove one of the two")
		case u.Soft < -1 || u.Hard < -1:
			return Invalid(where, "is negative", hint)
		case u.Hard != -1 && (u.Soft > u.Hard || u.Soft == -1):
			return Invalid(where, fmt.Sprintf("soft limit %d is above the hard limit %d", u.Soft, u.Hard), hint)
		}
		seen[u.Name] = true
	}
	return nil
}

func validateExtraHosts(field string, list []string) error {
	for i, s := range list {
		name, address, ok := strings.Cut(s, ":")
		_, err := netip.ParseAddr(address)
		if !ok || name == "" || err != nil && address != "host-gateway" {
			return Invalid(fmt.Sprintf("%s[%d]", field, i), fmt.Sprintf("%q is not a host and its address", clip(s)),
				"write it as name:10.0.0.1 or name:host-gateway")
		}
	}
	return nil
}

func validateDevices(field string, list []Device) error {
	if len(list) > MaxItems {
		return Invalid(field, fmt.Sprintf("has %d entries, at most %d are allowed", len(list), MaxItems), "")
	}
	for i, d := range list {
		where := fmt.Sprintf("%s[%d]", field, i)
		switch {
		case !cleanAbs(d.Source):
			return Invalid(at(where, "source"), fmt.Sprintf("%q is not an absolute path", clip(d.Source)), "give a path such as /dev/fuse")
		case !cleanAbs(d.Target):
			return Invalid(at(where, "target"), fmt.Sprintf("%q is not an absolute path", clip(d.Target)), "give a path such as /dev/fuse")
		case strings.Trim(d.Permissions, "rwm") != "" || len(d.Permissions) > 3:
			return Invalid(at(where, "permissions"), fmt.Sprintf("%q is not a permission", clip(d.Permissions)), "use letters of rwm")
		}
	}
	return nil
}

func validateSysctls(field string, sysctls map[string]string) error {
	for _, key := range slices.Sorted(maps.Keys(sysctls)) {
		if !sysctl.MatchString(key) {
			return Invalid(at(field, clip(key)), "is not the name of a kernel setting", "use a name such as net.core.somaxconn")
		}
	}
	return nil
}

func validateSize(field string, n int64) error {
	switch {
	case n < 0:
		return Invalid(field, "is negative", "give a size such as 64M")
	case n > MaxMemory:
		return Invalid(field, "is more than a pebibyte", "give a size such as 64M")
	}
	return nil
}
