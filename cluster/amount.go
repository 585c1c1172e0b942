package cluster

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Units of text, by their name in lower case.
var (
	byteUnits = map[string]float64{
		"": 1, "b": 1, "k": 1 << 10, "kb": 1 << 10, "kib": 1 << 10, "m": 1 << 20, "mb": 1 << 20, "mib": 1 << 20, "g": 1 << 30, "gb": 1 << 30, "gib": 1 << 30,
		"t": 1 << 40, "tb": 1 << 40, "tib": 1 << 40, "p": 1 << 50, "pb": 1 << 50, "pib": 1 << 50,
	}
	rateUnits = map[string]float64{
		"": 1, "bit": 1, "kbit": 1e3, "mbit": 1e6, "gbit": 1e9, "tbit": 1e12,
		"bit/s": 1, "kbit/s": 1e3, "mbit/s": 1e6, "gbit/s": 1e9, "tbit/s": 1e12,
	}
)

// ParseDisk reads an amount of disk: "10G" or a number of bytes. Units are
// binary, as Docker's. It is never negative nor above MaxDisk.
func ParseDisk(text string) (bytes int64, err error) {
	return parseAmount(text, byteUnits, MaxDisk, "an exbibyte", "10G")
}

// ParseBandwidth reads a rate: "100Mbit" or a number of bits a second. It is
// never negative nor above MaxBandwidth.
func ParseBandwidth(text string) (bitsPerSecond int64, err error) {
	return parseAmount(text, rateUnits, MaxBandwidth, "a petabit a second", "100Mbit")
}

// ParseDevices reads a number of devices: a whole one, or a share of one such as
// 0.5, in thousandths. It is never negative nor above MaxDevices.
func ParseDevices(text string) (milli int64, err error) {
	const example = "give a whole number such as 1, or a share of one such as 0.5"
	n, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil || math.IsNaN(n):
		return 0, fmt.Errorf("%q is not a number of devices; %s", clip(text), example)
	case n < 0:
		return 0, fmt.Errorf("%s is negative; %s", clip(text), example)
	case n > MaxDevices:
		return 0, fmt.Errorf("%s is more than %d; %s", clip(text), MaxDevices, example)
	case n != 0 && n*WholeDevice < 1:
		return 0, fmt.Errorf("%s is less than a thousandth; %s", clip(text), example)
	}
	milli = int64(math.Round(n * WholeDevice))
	if milli > WholeDevice && milli%WholeDevice != 0 {
		return 0, fmt.Errorf("%s is neither a whole number nor below 1; %s", clip(text), example)
	}
	return milli, nil
}

func parseAmount(text string, units map[string]float64, most int64, tooMuch, example string) (int64, error) {
	number := strings.TrimRight(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ/ ")
	unit, known := units[strings.ToLower(strings.TrimSpace(text[len(number):]))]
	n, err := strconv.ParseFloat(number, 64)
	switch {
	case err != nil && n == 0 || !known || math.IsNaN(n):
		return 0, fmt.Errorf("%q is not an amount; give one such as %s", clip(text), example)
	case n < 0:
		return 0, fmt.Errorf("%s is negative; give an amount such as %s", clip(text), example)
	case n*unit > float64(most):
		return 0, fmt.Errorf("%s is more than %s; give an amount such as %s", clip(text), tooMuch, example)
	case n != 0 && n*unit < 1:
		return 0, fmt.Errorf("%s is less than one; give an amount such as %s", clip(text), example)
	}
	return int64(math.Round(n * unit)), nil
}

// FormatBandwidth writes bits a second in decimal units with at most one
// decimal: "1.5 Gbit/s".
func FormatBandwidth(bits int64) string {
	units := []string{"bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"}
	v, i := float64(bits), 0
	for math.Abs(v) >= 1000 && i < len(units)-1 {
		v, i = v/1000, i+1
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0") + " " + units[i]
}
