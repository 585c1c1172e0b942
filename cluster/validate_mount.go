package cluster

import (
	"fmt"
	"path"
	"regexp"
	"slices"
)

// MaxExternalVolume is the longest name of a volume that exists already; an
// anonymous one has 64 characters.
const MaxExternalVolume = 255

var (
	volumeName   = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]*$`)
	propagations = []string{"", "private", "rprivate", "shared", "rshared", "slave", "rslave"}
)

// ValidateVolumeName reports whether name may name a volume: Docker's own form,
// [a-zA-Z0-9][a-zA-Z0-9_.-]*, at most limit bytes. The error is a *FieldError.
func ValidateVolumeName(field, name string, limit int) error {
	switch {
	case name == "":
		return Invalid(field, "is empty", "give it a name such as \"data\"")
	case len(name) > limit:
		return Invalid(field, fmt.Sprintf("%q has %d characters, at most %d are allowed", clip(name), len(name), limit), "shorten it")
	case !volumeName.MatchString(name):
		return Invalid(field, fmt.Sprintf("%q is not the name of a volume", clip(name)),
			"use letters, digits and inner dots, hyphens and underscores")
	}
	return nil
}

func validateMounts(field string, mounts []Mount) error {
	if len(mounts) > MaxItems {
		return Invalid(field, fmt.Sprintf("has %d entries, at most %d are allowed", len(mounts), MaxItems), "")
	}
	seen := make(map[string]bool, len(mounts))
	for i, m := range mounts {
		where := fmt.Sprintf("%s[%d]", field, i)
		if err := m.Validate(where); err != nil {
			return err
		}
		if seen[m.Target] {
			return Invalid(at(where, "target"), fmt.Sprintf("%q is mounted twice", clip(m.Target)), "remove one of the two")
		}
		seen[m.Target] = true
	}
	return nil
}

// Validate reports the first rule that m breaks as a *FieldError; field is the
// place of m.
func (m Mount) Validate(field string) error {
	switch {
	case !cleanAbs(m.Target):
		return Invalid(at(field, "target"), fmt.Sprintf("%q is not a clean absolute path", clip(m.Target)), "give a path such as /data")
	case m.Target == "/":
		return Invalid(at(field, "target"), "is the container's root", "give a path such as /data")
	case !slices.Contains(propagations, m.Propagation):
		return Invalid(at(field, "bind.propagation"), fmt.Sprintf("%q is not a propagation", clip(m.Propagation)), "use rprivate, rshared or rslave")
	case m.Type != MountBind && m.Propagation != "":
		return Invalid(at(field, "bind.propagation"), fmt.Sprintf("is set for a mount of type %s", m.Type), "use it with type: bind")
	case m.Type != MountVolume && (m.External || len(m.Labels) > 0):
		return Invalid(at(field, "type"), fmt.Sprintf("%q is not a volume", clip(string(m.Type))), "use type: volume")
	case m.Type != MountTmpfs && (m.TmpfsSize != 0 || m.TmpfsMode != 0):
		return Invalid(at(field, "tmpfs"), fmt.Sprintf("is set for a mount of type %s", m.Type), "use it with type: tmpfs")
	}
	switch m.Type {
	case MountBind:
		return m.validateBind(field)
	case MountVolume:
		return m.validateVolume(field)
	case MountTmpfs:
		return m.validateTmpfs(field)
	}
	return Invalid(at(field, "type"), fmt.Sprintf("%q is not supported", clip(string(m.Type))), "use bind, volume or tmpfs")
}

func (m Mount) validateBind(field string) error {
	if cleanAbs(m.Source) {
		return nil
	}
	return Invalid(at(field, "source"), fmt.Sprintf("%q is not a clean absolute path", clip(m.Source)), "give a path of the node such as /srv/data")
}

// validateVolume takes an empty source for a volume that lives as long as its
// container.
func (m Mount) validateVolume(field string) error {
	if err := ValidateLabels(at(field, "volume.labels"), m.Labels); err != nil {
		return err
	}
	switch {
	case m.Source == "" && !m.External:
		return nil
	case m.External:
		return ValidateVolumeName(at(field, "source"), m.Source, MaxExternalVolume)
	}
	return ValidateVolumeName(at(field, "source"), m.Source, MaxNameLength)
}

func (m Mount) validateTmpfs(field string) error {
	const allModes = 0o7777
	switch {
	case m.Source != "":
		return Invalid(at(field, "source"), "is set for a tmpfs", "remove it")
	case m.TmpfsMode > allModes:
		return Invalid(at(field, "tmpfs.mode"), fmt.Sprintf("%#o is not a file mode", m.TmpfsMode), "give a mode such as 0755")
	}
	return validateSize(at(field, "tmpfs.size"), m.TmpfsSize)
}

// cleanAbs reports whether p is absolute and has no "." or ".." parts, double
// or trailing slashes.
func cleanAbs(p string) bool { return path.IsAbs(p) && path.Clean(p) == p }
