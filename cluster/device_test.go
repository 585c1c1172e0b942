package cluster

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func devicesOf(kind string, ids ...string) []HostDevice {
	var out []HostDevice
	for _, id := range ids {
		out = append(out, HostDevice{Kind: kind, ID: id})
	}
	return out
}

func TestPickDevices(t *testing.T) {
	have := append(devicesOf("gpu", "a", "b", "c"), HostDevice{Kind: "gpu", ID: "d", Driver: "nvidia"}, HostDevice{Kind: "tty", ID: "t"})
	for name, tc := range map[string]struct {
		used  []int64
		asked []DeviceRequest
		want  []DeviceShare
		short string
	}{
		"nothing":                       {asked: nil},
		"a share, of the fullest":       {[]int64{0, 400, 500, 0, 0}, []DeviceRequest{{Kind: "gpu", Milli: 500}}, []DeviceShare{{"gpu", "c", 500}}, ""},
		"a share, where there is room":  {[]int64{0, 400, 600, 0, 0}, []DeviceRequest{{Kind: "gpu", Milli: 500}}, []DeviceShare{{"gpu", "b", 500}}, ""},
		"a share, in pieces":            {[]int64{800, 800, 800, 800, 0}, []DeviceRequest{{Kind: "gpu", Milli: 500}}, nil, "no device of kind gpu has 0.5 of it free"},
		"whole ones, of those not used": {[]int64{0, 1, 0, 0, 0}, []DeviceRequest{{Kind: "gpu", Milli: 2000}}, []DeviceShare{{"gpu", "a", 1000}, {"gpu", "c", 1000}}, ""},
		"too many":                      {[]int64{0, 1, 0, 0, 0}, []DeviceRequest{{Kind: "gpu", Milli: 5000}}, nil, "2 devices of kind gpu short"},
		"a driver":                      {make([]int64, 5), []DeviceRequest{{Kind: "gpu", Milli: 1000, Driver: "nvidia"}}, []DeviceShare{{"gpu", "d", 1000}}, ""},
		"a driver's second":             {make([]int64, 5), []DeviceRequest{{Kind: "gpu", Milli: 2000, Driver: "nvidia"}}, nil, "1 device of kind gpu and driver nvidia short"},
		"named":                         {make([]int64, 5), []DeviceRequest{{Kind: "gpu", Milli: 2000, IDs: []string{"c", "a"}}}, []DeviceShare{{"gpu", "a", 1000}, {"gpu", "c", 1000}}, ""},
		"named and in use":              {[]int64{1, 0, 0, 0, 0}, []DeviceRequest{{Kind: "gpu", Milli: 1000, IDs: []string{"a"}}}, nil, "1 device of kind gpu among a short"},
		"two kinds": {
			make([]int64, 5),
			[]DeviceRequest{{Kind: "gpu", Milli: 250}, {Kind: "tty", Milli: 1000}},
			[]DeviceShare{{"gpu", "a", 250}, {"tty", "t", 1000}},
			"",
		},
		"one of two kinds": {make([]int64, 5), []DeviceRequest{{Kind: "gpu", Milli: 250}, {Kind: "fpga", Milli: 1000}}, nil, "1 device of kind fpga short"},
	} {
		t.Run(name, func(t *testing.T) {
			used := tc.used
			if used == nil {
				used = make([]int64, len(have))
			}
			got, request, short := PickDevices(have, used, tc.asked)
			text := ""
			if short > 0 {
				text = tc.asked[request].Short(short)
			}
			if d := cmp.Diff(tc.want, got); d != "" || text != tc.short {
				t.Errorf("(-want +got):\n%s%q, want %q", d, text, tc.short)
			}
		})
	}
}

// Whatever is asked in whatever order, no device is given away more than once,
// and what is refused does not fit.
func TestDevicesAreNeverGivenTwice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		have := devicesOf("gpu", "a", "b", "c")
		used := make([]int64, len(have))
		for range rapid.IntRange(1, 12).Draw(t, "tasks") {
			milli := rapid.OneOf(rapid.Int64Range(1, 999), rapid.SampledFrom([]int64{1000, 2000, 3000})).Draw(t, "milli")
			asked := []DeviceRequest{{Kind: "gpu", Milli: milli}}
			given, _, short := PickDevices(have, used, asked)
			room := int64(0)
			for _, u := range used {
				if milli < WholeDevice && u+milli <= WholeDevice || milli >= WholeDevice && u == 0 {
					room++
				}
			}
			if fits := room*WholeDevice >= milli; fits != (short == 0) {
				t.Fatalf("%d of %v: %d short", milli, used, short)
			}
			if short > 0 {
				continue
			}
			if why := CheckDevices(have, used, asked, given); why != "" {
				t.Fatalf("%v of %v: %s", given, used, why)
			}
			if used = UsedDevices(have, used, given); max(used[0], used[1], used[2]) > WholeDevice {
				t.Fatalf("%v are used", used)
			}
		}
	})
}

func TestCheckDevices(t *testing.T) {
	have := devicesOf("gpu", "a", "b")
	whole := []DeviceRequest{{Kind: "gpu", Milli: 1000}}
	for name, tc := range map[string]struct {
		used  []int64
		asked []DeviceRequest
		given []DeviceShare
		want  string
	}{
		"what was asked": {[]int64{0, 0}, whole, []DeviceShare{{"gpu", "b", 1000}}, ""},
		"nothing":        {[]int64{0, 0}, whole, nil, "0 of devices of kind gpu is given where 1 is asked"},
		"too much":       {[]int64{0, 0}, whole, []DeviceShare{{"gpu", "a", 1000}, {"gpu", "b", 1000}}, "2 of devices"},
		"one twice":      {[]int64{0, 0}, []DeviceRequest{{Kind: "gpu", Milli: 2000}}, []DeviceShare{{"gpu", "a", 1000}, {"gpu", "a", 1000}}, "no 1 of it free"},
		"in use":         {[]int64{1, 0}, whole, []DeviceShare{{"gpu", "a", 1000}}, "no 1 of it free"},
		"not there":      {[]int64{0, 0}, whole, []DeviceShare{{"gpu", "c", 1000}}, "has no device c"},
		"negative":       {[]int64{0, 0}, whole, []DeviceShare{{"gpu", "a", -1000}}, "free"},
		"in pieces":      {[]int64{0, 0}, whole, []DeviceShare{{"gpu", "a", 500}, {"gpu", "b", 500}}, "not asked for"},
		"unasked":        {[]int64{0, 0}, nil, []DeviceShare{{"gpu", "a", 500}}, "not asked for"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := CheckDevices(have, tc.used, tc.asked, tc.given); (got == "") != (tc.want == "") || !strings.Contains(got, tc.want) {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

func TestValidateDevices(t *testing.T) {
	many := make([]DeviceRequest, MaxDeviceKinds+1)
	for i := range many {
		many[i] = DeviceRequest{Kind: fmt.Sprintf("k%d", i), Milli: 1000}
	}
	const field = "x-muster.resources.devices"
	for name, tc := range map[string]struct {
		asked []DeviceRequest
		field string
	}{
		"one and a half": {[]DeviceRequest{{Kind: "tty", Milli: 1500}}, field + ".tty"},
		"none":           {[]DeviceRequest{{Kind: "tty"}}, field + ".tty"},
		"negative":       {[]DeviceRequest{{Kind: "tty", Milli: -1000}}, field + ".tty"},
		"enormous":       {[]DeviceRequest{{Kind: "tty", Milli: (MaxDevices + 1) * WholeDevice}}, field + ".tty"},
		"twice":          {[]DeviceRequest{{Kind: "tty", Milli: 1}, {Kind: "tty", Milli: 1}}, field + ".tty"},
		"no kind":        {[]DeviceRequest{{Milli: 1000}}, field},
		"bad kind":       {[]DeviceRequest{{Kind: "T T", Milli: 1000}}, field},
		"a share by ID":  {[]DeviceRequest{{Kind: "tty", Milli: 500, IDs: []string{"a"}}}, field + ".tty"},
		"an ID twice":    {[]DeviceRequest{{Kind: "tty", Milli: 2000, IDs: []string{"a", "a"}}}, field + ".tty.device_ids"},
		"an empty ID":    {[]DeviceRequest{{Kind: "tty", Milli: 1000, IDs: []string{""}}}, field + ".tty.device_ids"},
		"another sum":    {[]DeviceRequest{{Kind: "gpu", Milli: 1000}}, field + ".gpu"},
		"too many kinds": {many, field},
	} {
		t.Run(name, func(t *testing.T) {
			var fe *FieldError
			if err := (&Template{Devices: tc.asked}).validateDevices(field); !errors.As(err, &fe) || fe.Field != tc.field {
				t.Errorf("%v, want a fault of %s", err, tc.field)
			}
		})
	}
	good := Template{Devices: []DeviceRequest{{Kind: "gpu", Milli: 500}, {Kind: "tty", Milli: 2000}}, Reservations: Resources{MilliGPU: 500}}
	if err := good.validateDevices(field); err != nil {
		t.Error(err)
	}
}

func TestValidateHostDevices(t *testing.T) {
	for name, tc := range map[string]struct {
		devices []HostDevice
		field   string
	}{
		"good":      {append(devicesOf("gpu", "GPU-1", "0000:01:00.0"), HostDevice{Kind: "tty", ID: "GPU-1", Model: "A 100"}), ""},
		"no kind":   {devicesOf("", "a"), "devices[0].kind"},
		"no ID":     {devicesOf("gpu", ""), "devices[0].id"},
		"strange":   {devicesOf("gpu", "a b"), "devices[0].id"},
		"twice":     {devicesOf("gpu", "a", "a"), "devices[1].id"},
		"model":     {[]HostDevice{{Kind: "gpu", ID: "a", Model: "a\x1b[2J"}}, "devices[0].model"},
		"a driver":  {[]HostDevice{{Kind: "gpu", ID: "a", Driver: "a b"}}, "devices[0].driver"},
		"a million": {make([]HostDevice, MaxDevices+1), "devices"},
	} {
		t.Run(name, func(t *testing.T) {
			var fe *FieldError
			err := ValidateHostDevices("devices", tc.devices)
			if errors.As(err, &fe) != (tc.field != "") || fe != nil && fe.Field != tc.field {
				t.Errorf("%v, want a fault of %q", err, tc.field)
			}
		})
	}
}
