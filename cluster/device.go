package cluster

import (
	"fmt"
	"slices"
	"strings"
)

// Bounds of devices.
const (
	MaxDevices     = 1024 // of one node
	MaxDeviceKinds = 20   // that one service asks
	// WholeDevice is a device in the thousandths that shares are counted in.
	WholeDevice = 1000
)

// DeviceGPU is the kind of all GPUs.
const DeviceGPU = "gpu"

// HostDevice is a device that a node hands out: to one task whole, or in shares
// to several. Its kind and ID name it on its node.
type HostDevice struct {
	Kind  string `cbor:"1,keyasint" json:"kind"`
	ID    string `cbor:"2,keyasint" json:"id"`
	Model string `cbor:"3,keyasint,omitempty" json:"model,omitempty"`
	// Driver is what the engine hands it out with, such as "nvidia"; "": as a file.
	Driver string `cbor:"4,keyasint,omitempty" json:"driver,omitempty"`
}

// DeviceRequest asks for devices of one kind: so many whole ones, a share of one,
// or those with certain IDs, whole.
type DeviceRequest struct {
	Kind string `cbor:"1,keyasint" json:"kind"`
	// Milli is a multiple of WholeDevice, or less than one.
	Milli  int64    `cbor:"2,keyasint" json:"milli"`
	IDs    []string `cbor:"3,keyasint,omitempty" json:"ids,omitempty"` // Milli counts them
	Driver string   `cbor:"4,keyasint,omitempty" json:"driver,omitempty"`
}

// DeviceShare is what a task has of one device of its node.
type DeviceShare struct {
	Kind  string `cbor:"1,keyasint" json:"kind"`
	ID    string `cbor:"2,keyasint" json:"id"`
	Milli int64  `cbor:"3,keyasint" json:"milli"`
}

// GPUs is how much of GPUs is asked, in thousandths: Resources.MilliGPU.
func GPUs(asked []DeviceRequest) (milli int64) {
	for i := range asked {
		if asked[i].Kind == DeviceGPU {
			milli = satAdd(milli, asked[i].Milli)
		}
	}
	return milli
}

// UsedDevices is how much of each of a node's devices is held, in thousandths,
// by the given shares.
func UsedDevices(have []HostDevice, used []int64, held []DeviceShare) []int64 {
	if used == nil {
		used = make([]int64, len(have))
	}
	for _, s := range held {
		if i := slices.IndexFunc(have, func(d HostDevice) bool { return d.Kind == s.Kind && d.ID == s.ID }); i >= 0 {
			used[i] += s.Milli
		}
	}
	return used
}

// PickDevices chooses what each request gets, in the order of the node's devices:
// whole ones that nobody uses, and for a share the device that has the least left
// and enough. Where something is short, it says which request and how many
// devices.
func PickDevices(have []HostDevice, used []int64, asked []DeviceRequest) (given []DeviceShare, request, short int) {
	if request, short = ShortDevices(have, used, asked); short > 0 {
		return nil, request, short
	}
	for i := range asked {
		r := &asked[i]
		r.pick(have, used, func(d int) {
			given = append(given, DeviceShare{Kind: r.Kind, ID: have[d].ID, Milli: min(r.Milli, WholeDevice)})
		})
	}
	return given, 0, 0
}

// ShortDevices says which request finds too few devices, and how many; 0 where
// all find what they need. Requests are of different kinds.
func ShortDevices(have []HostDevice, used []int64, asked []DeviceRequest) (request, short int) {
	for i := range asked {
		if short := asked[i].pick(have, used, func(int) {}); short > 0 {
			return i, short
		}
	}
	return 0, 0
}

// pick calls take with each device that the request gets, and returns how many
// it lacks.
func (r *DeviceRequest) pick(have []HostDevice, used []int64, take func(int)) (short int) {
	if r.shared() {
		best := -1
		for i := range have {
			if r.Matches(&have[i]) && used[i]+r.Milli <= WholeDevice && (best < 0 || used[i] > used[best]) {
				best = i
			}
		}
		if best < 0 {
			return 1
		}
		take(best)
		return 0
	}
	short = int(r.Milli / WholeDevice)
	for i := range have {
		if short > 0 && r.Matches(&have[i]) && used[i] == 0 {
			take(i)
			short--
		}
	}
	return short
}

func (r *DeviceRequest) shared() bool { return r.Milli < WholeDevice }

// Matches reports whether the device is of the kind, the driver and the IDs that
// are asked.
func (r *DeviceRequest) Matches(d *HostDevice) bool {
	return d.Kind == r.Kind && (r.Driver == "" || d.Driver == r.Driver) && (len(r.IDs) == 0 || slices.Contains(r.IDs, d.ID))
}

// Short says for people that so many devices are short for the request.
func (r *DeviceRequest) Short(n int) string {
	what := "of kind " + r.Kind
	if r.Driver != "" {
		what += " and driver " + r.Driver
	}
	switch {
	case r.shared():
		return fmt.Sprintf("no device %s has %s of it free", what, FormatCPU(r.Milli))
	case len(r.IDs) > 0:
		what += " among " + strings.Join(r.IDs, ", ")
	}
	if n == 1 {
		return "1 device " + what + " short"
	}
	return fmt.Sprintf("%d devices %s short", n, what)
}

// CheckDevices says what is wrong with the devices that a task is given on a
// node, or "": that they are what was asked, are there, and that nobody has them.
func CheckDevices(have []HostDevice, used []int64, asked []DeviceRequest, given []DeviceShare) string {
	left := slices.Clone(used)
	for _, s := range given {
		i := slices.IndexFunc(have, func(d HostDevice) bool { return d.Kind == s.Kind && d.ID == s.ID })
		switch {
		case i < 0:
			return fmt.Sprintf("has no device %s of kind %s", s.ID, s.Kind)
		case s.Milli <= 0 || s.Milli > WholeDevice || left[i]+s.Milli > WholeDevice:
			return fmt.Sprintf("device %s of kind %s has no %s of it free", s.ID, s.Kind, FormatCPU(s.Milli))
		case !slices.ContainsFunc(asked, func(r DeviceRequest) bool { return r.Matches(&have[i]) && min(r.Milli, WholeDevice) == s.Milli }):
			return fmt.Sprintf("device %s of kind %s was not asked for", s.ID, s.Kind)
		}
		left[i] += s.Milli
	}
	for i := range asked {
		sum := int64(0)
		for _, s := range given {
			if s.Kind == asked[i].Kind {
				sum += s.Milli
			}
		}
		if missing := asked[i].Milli - sum; missing != 0 {
			return fmt.Sprintf("%s of devices of kind %s is given where %s is asked", FormatCPU(sum), asked[i].Kind, FormatCPU(asked[i].Milli))
		}
	}
	return ""
}
