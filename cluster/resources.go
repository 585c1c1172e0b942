package cluster

import (
	"fmt"
	"math"
	"strings"
)

// Resources is an amount of what a node offers or a task asks.
type Resources struct {
	MilliCPU int64 `cbor:"1,keyasint,omitempty" json:"milli_cpu,omitempty"` // thousandths of a core
	Memory   int64 `cbor:"2,keyasint,omitempty" json:"memory,omitempty"`    // bytes
}

// Limits above which an amount is taken for a mistake.
const (
	MaxMilliCPU = int64(1_000_000_000) // a million cores
	MaxMemory   = int64(1) << 50       // one pebibyte
)

// Add returns r + o, saturating.
func (r Resources) Add(o Resources) Resources {
	return Resources{MilliCPU: satAdd(r.MilliCPU, o.MilliCPU), Memory: satAdd(r.Memory, o.Memory)}
}

// Sub returns r - o; parts may become negative.
func (r Resources) Sub(o Resources) Resources {
	return Resources{MilliCPU: r.MilliCPU - o.MilliCPU, Memory: r.Memory - o.Memory}
}

// Fits reports whether r is at most free in every part.
func (r Resources) Fits(free Resources) bool {
	return r.MilliCPU <= free.MilliCPU && r.Memory <= free.Memory
}

// Missing says what free lacks to hold r, in people's units ("512 MiB"), or ""
// when nothing is missing.
func (r Resources) Missing(free Resources) string {
	var parts []string
	if d := r.MilliCPU - max(free.MilliCPU, 0); d > 0 {
		parts = append(parts, FormatCPU(d)+" CPU")
	}
	if d := r.Memory - max(free.Memory, 0); d > 0 {
		parts = append(parts, FormatBytes(d))
	}
	return strings.Join(parts, " and ")
}

// Validate refuses negative and absurd amounts; field names the holder.
func (r Resources) Validate(field string) error {
	switch {
	case r.MilliCPU < 0:
		return Invalid(field+".cpus", "is negative", "give a number of cores such as 0.5")
	case r.MilliCPU > MaxMilliCPU:
		return Invalid(field+".cpus", "is more than a million cores", "give a number of cores such as 0.5")
	case r.Memory < 0:
		return Invalid(field+".memory", "is negative", "give a size such as 256M")
	case r.Memory > MaxMemory:
		return Invalid(field+".memory", "is more than a pebibyte", "give a size such as 256M")
	}
	return nil
}

// FormatCPU writes thousandths of a core as cores: 1500 is "1.5".
func FormatCPU(milli int64) string {
	s := fmt.Sprintf("%.3f", float64(milli)/1000)
	return strings.TrimRight(strings.TrimRight(s, "0"), ".")
}

// FormatBytes writes bytes in binary units with at most one decimal: "1.5 GiB".
func FormatBytes(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}
	v, i := float64(n), 0
	for math.Abs(v) >= 1024 && i < len(units)-1 {
		v, i = v/1024, i+1
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0") + " " + units[i]
}

func satAdd(a, b int64) int64 {
	if s := a + b; b < 0 || s >= a {
		return s
	}
	return math.MaxInt64
}
