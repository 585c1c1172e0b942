package cluster

import (
	"strings"
	"testing"
)

func TestParseAmounts(t *testing.T) {
	for _, tc := range []struct {
		parse func(string) (int64, error)
		text  string
		want  int64
		err   string
	}{
		{ParseDisk, "10G", 10 << 30, ""},
		{ParseDisk, "1.5 GiB", 3 << 29, ""},
		{ParseDisk, "512", 512, ""},
		{ParseDisk, "0", 0, ""},
		{ParseDisk, "", 0, "is not an amount"},
		{ParseDisk, "many", 0, "is not an amount"},
		{ParseDisk, "NaN", 0, "is not an amount"},
		{ParseDisk, "inf", 0, "is not an amount"},
		{ParseDisk, "10X", 0, "is not an amount"},
		{ParseDisk, "-1G", 0, "is negative"},
		{ParseDisk, "1e400", 0, "more than an exbibyte"},
		{ParseDisk, "99999999999P", 0, "more than an exbibyte"},
		{ParseDisk, "0.1", 0, "less than one"},
		{ParseBandwidth, "100Mbit", 100_000_000, ""},
		{ParseBandwidth, "1.5 Gbit/s", 1_500_000_000, ""},
		{ParseBandwidth, "10G", 0, "is not an amount"},
		{ParseBandwidth, "-1Gbit", 0, "is negative"},
		{ParseBandwidth, "9999Tbit", 0, "more than a petabit"},
		{ParseDevices, "0.5", 500, ""},
		{ParseDevices, "2", 2000, ""},
		{ParseDevices, "0", 0, ""},
		{ParseDevices, "1.5", 0, "neither a whole number nor below 1"},
		{ParseDevices, "0.0001", 0, "less than a thousandth"},
		{ParseDevices, "-1", 0, "is negative"},
		{ParseDevices, "NaN", 0, "is not a number"},
		{ParseDevices, ".inf", 0, "is not a number"},
		{ParseDevices, "+Inf", 0, "more than 1024"},
		{ParseDevices, "1e300", 0, "more than 1024"},
	} {
		got, err := tc.parse(tc.text)
		switch {
		case tc.err == "" && (err != nil || got != tc.want):
			t.Errorf("%q: %d, %v; want %d", tc.text, got, err, tc.want)
		case tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err)):
			t.Errorf("%q: %d, %v; want an error with %q", tc.text, got, err, tc.err)
		}
	}
}

func TestFormatBandwidth(t *testing.T) {
	for n, want := range map[int64]string{0: "0 bit/s", 999: "999 bit/s", 1_500_000_000: "1.5 Gbit/s", 100_000_000: "100 Mbit/s"} {
		if got := FormatBandwidth(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}
