package cluster

import (
	"fmt"
	"math"
	"strings"
)

// Resources is an amount of what a node offers or a task asks. As what a node
// offers, no disk or bandwidth at all means that nobody knows how much there is.
type Resources struct {
	MilliCPU  int64 `cbor:"1,keyasint,omitempty" json:"milli_cpu,omitempty"`           // thousandths of a core
	Memory    int64 `cbor:"2,keyasint,omitempty" json:"memory,omitempty"`              // bytes
	Disk      int64 `cbor:"3,keyasint,omitempty" json:"disk,omitempty" since:"3"`      // bytes
	Bandwidth int64 `cbor:"4,keyasint,omitempty" json:"bandwidth,omitempty" since:"3"` // bits a second
	// MilliGPU is thousandths of a GPU, over all of them. Which ones is in the
	// devices: a share of one lies on one.
	MilliGPU int64 `cbor:"5,keyasint,omitempty" json:"milli_gpu,omitempty" since:"3"`
}

// Limits above which an amount is taken for a mistake.
const (
	MaxMilliCPU  = int64(1_000_000_000)         // a million cores
	MaxMemory    = int64(1) << 50               // one pebibyte
	MaxDisk      = int64(1) << 60               // one exbibyte
	MaxBandwidth = int64(1_000_000_000_000_000) // a petabit a second
	MaxMilliGPU  = int64(MaxDevices) * WholeDevice
)

// Add returns r + o, saturating.
func (r Resources) Add(o Resources) Resources {
	return Resources{
		MilliCPU: satAdd(r.MilliCPU, o.MilliCPU), Memory: satAdd(r.Memory, o.Memory), Disk: satAdd(r.Disk, o.Disk),
		Bandwidth: satAdd(r.Bandwidth, o.Bandwidth), MilliGPU: satAdd(r.MilliGPU, o.MilliGPU),
	}
}

// Sub returns r - o; parts may become negative.
func (r Resources) Sub(o Resources) Resources {
	return Resources{
		MilliCPU: r.MilliCPU - o.MilliCPU, Memory: r.Memory - o.Memory, Disk: r.Disk - o.Disk,
		Bandwidth: r.Bandwidth - o.Bandwidth, MilliGPU: r.MilliGPU - o.MilliGPU,
	}
}

// Fits reports whether r is at most free in every part. What r does not ask of
// disk, bandwidth and GPUs cannot be short: a node may know nothing of its own.
func (r Resources) Fits(free Resources) bool {
	return r.MilliCPU <= free.MilliCPU && r.Memory <= free.Memory && (r.Disk == 0 || r.Disk <= free.Disk) &&
		(r.Bandwidth == 0 || r.Bandwidth <= free.Bandwidth) && (r.MilliGPU == 0 || r.MilliGPU <= free.MilliGPU)
}

// Missing says what free lacks to hold r, in people's units ("512 MiB"), or ""
// when nothing is missing.
func (r Resources) Missing(free Resources) string {
	short := func(asked, free int64) int64 { return asked - max(free, 0) }
	var parts []string
	if d := short(r.MilliCPU, free.MilliCPU); d > 0 {
		parts = append(parts, FormatCPU(d)+" CPU")
	}
	if d := short(r.Memory, free.Memory); d > 0 {
		parts = append(parts, FormatBytes(d))
	}
	if d := short(r.Disk, free.Disk); d > 0 {
		parts = append(parts, FormatBytes(d)+" of disk")
	}
	if d := short(r.Bandwidth, free.Bandwidth); d > 0 {
		parts = append(parts, FormatBandwidth(d))
	}
	if d := short(r.MilliGPU, free.MilliGPU); d > 0 {
		parts = append(parts, FormatCPU(d)+" GPU")
	}
	if len(parts) < 2 {
		return strings.Join(parts, "")
	}
	return strings.Join(parts[:len(parts)-1], ", ") + " and " + parts[len(parts)-1]
}

// Validate refuses negative and absurd amounts; field names the holder.
func (r Resources) Validate(field string) error {
	for _, part := range []struct {
		name       string
		amount     int64
		most       int64
		tooMuch    string
		suggestion string
	}{
		{"cpus", r.MilliCPU, MaxMilliCPU, "a million cores", "give a number of cores such as 0.5"},
		{"memory", r.Memory, MaxMemory, "a pebibyte", "give a size such as 256M"},
		{"disk", r.Disk, MaxDisk, "an exbibyte", "give a size such as 10G"},
		{"bandwidth", r.Bandwidth, MaxBandwidth, "a petabit a second", "give a rate such as 100Mbit"},
		{"gpu", r.MilliGPU, MaxMilliGPU, fmt.Sprintf("%d GPUs", MaxDevices), "give a number of GPUs such as 1, or a share of one such as 0.5"},
	} {
		switch {
		case part.amount < 0:
			return Invalid(at(field, part.name), "is negative", part.suggestion)
		case part.amount > part.most:
			return Invalid(at(field, part.name), "is more than "+part.tooMuch, part.suggestion)
		}
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
