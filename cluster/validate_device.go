package cluster

import (
	"fmt"
	"strings"
)

// ValidateHostDevices refuses devices of a node that cannot be told apart or have
// names that are none; field names the list.
func ValidateHostDevices(field string, devices []HostDevice) error {
	if len(devices) > MaxDevices {
		return Invalid(field, fmt.Sprintf("has %d entries, at most %d are allowed", len(devices), MaxDevices), "")
	}
	type name struct{ kind, id string }
	seen := map[name]bool{}
	for i, d := range devices {
		where := fmt.Sprintf("%s[%d]", field, i)
		if err := first(
			ValidateName(where+".kind", d.Kind),
			validateDeviceWord(where+".id", d.ID, false),
			validateDeviceWord(where+".driver", d.Driver, true),
		); err != nil {
			return err
		}
		switch {
		case len(d.Model) > MaxNameLength || strings.ContainsFunc(d.Model, unprintable):
			return Invalid(where+".model", fmt.Sprintf("%q is not a name of at most %d printable characters", clip(d.Model), MaxNameLength), "shorten it")
		case seen[name{d.Kind, d.ID}]:
			return Invalid(where+".id", fmt.Sprintf("%q is there twice among the devices of kind %s", clip(d.ID), d.Kind), "give each an ID of its own")
		}
		seen[name{d.Kind, d.ID}] = true
	}
	return nil
}

func unprintable(r rune) bool { return r < ' ' || r > '~' }

// validateDeviceWord wants letters, digits and what engines and buses put in
// between in a device's ID.
func validateDeviceWord(field, word string, mayBeEmpty bool) error {
	const most = 128
	bad := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-_.:/", r)
	}
	switch {
	case word == "" && mayBeEmpty:
		return nil
	case word == "":
		return Invalid(field, "is empty", "give the device's ID, such as GPU-5e1f")
	case len(word) > most || strings.ContainsFunc(word, bad):
		return Invalid(field, fmt.Sprintf("%q is not an ID", clip(word)), fmt.Sprintf("use at most %d letters, digits and -_.:/", most))
	}
	return nil
}

func (t *Template) validateDevices(field string) error {
	if len(t.Devices) > MaxDeviceKinds {
		return Invalid(field, fmt.Sprintf("asks %d kinds, at most %d are allowed", len(t.Devices), MaxDeviceKinds), "")
	}
	seen := map[string]bool{}
	for i := range t.Devices {
		r := &t.Devices[i]
		where := field + "." + clip(r.Kind)
		if err := first(ValidateName(field, r.Kind), validateDeviceWord(where+".driver", r.Driver, true)); err != nil {
			return err
		}
		switch {
		case seen[r.Kind]:
			return Invalid(where, "is asked twice", "ask once for all that is needed of a kind")
		case r.Milli < 1 || r.Milli > MaxDevices*WholeDevice:
			return Invalid(where, fmt.Sprintf("%s is not a number of devices from 0.001 to %d", FormatCPU(r.Milli), MaxDevices), "give one such as 1, or leave it out")
		case !r.shared() && r.Milli%WholeDevice != 0:
			return Invalid(where, fmt.Sprintf("%s is neither a whole number nor below 1", FormatCPU(r.Milli)), "a share lies on one device: give one such as 0.5, or whole ones")
		case len(r.IDs) > 0 && r.Milli != int64(len(r.IDs))*WholeDevice:
			return Invalid(where, fmt.Sprintf("%s of %d named devices is asked", FormatCPU(r.Milli), len(r.IDs)), "devices that are named are given whole")
		}
		seen[r.Kind] = true
		named := map[string]bool{}
		for _, id := range r.IDs {
			if err := validateDeviceWord(where+".device_ids", id, false); err != nil {
				return err
			}
			if named[id] {
				return Invalid(where+".device_ids", fmt.Sprintf("%q is named twice", clip(id)), "name each device once")
			}
			named[id] = true
		}
	}
	if sum := GPUs(t.Devices); sum != t.Reservations.MilliGPU {
		return Invalid(field+"."+DeviceGPU, fmt.Sprintf("asks %s, and the resources %s", FormatCPU(sum), FormatCPU(t.Reservations.MilliGPU)), "ask for GPUs among the devices")
	}
	return nil
}
