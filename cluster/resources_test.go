package cluster

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestResourcesValidate(t *testing.T) {
	for _, tc := range []struct {
		r     Resources
		field string // "" for valid
	}{
		{Resources{}, ""},
		{Resources{MilliCPU: MaxMilliCPU, Memory: MaxMemory}, ""},
		{Resources{MilliCPU: -1}, "limits.cpus"},
		{Resources{MilliCPU: MaxMilliCPU + 1}, "limits.cpus"},
		{Resources{Memory: -1}, "limits.memory"},
		{Resources{Memory: MaxMemory + 1}, "limits.memory"},
		{Resources{Memory: math.MinInt64}, "limits.memory"},
		{Resources{Disk: -1}, "limits.disk"},
		{Resources{Disk: MaxDisk + 1}, "limits.disk"},
		{Resources{Bandwidth: -1}, "limits.bandwidth"},
		{Resources{Bandwidth: MaxBandwidth + 1}, "limits.bandwidth"},
		{Resources{MilliGPU: -1}, "limits.gpu"},
		{Resources{MilliGPU: MaxMilliGPU + 1}, "limits.gpu"},
	} {
		checkField(t, tc.r.Validate("limits"), tc.field)
	}
}

func TestResourcesAddSaturates(t *testing.T) {
	large := Resources{MilliCPU: math.MaxInt64, Memory: math.MaxInt64 - 1}
	if got := large.Add(Resources{MilliCPU: 1, Memory: 2}); got.MilliCPU != math.MaxInt64 || got.Memory != math.MaxInt64 {
		t.Errorf("the sum wrapped around: %+v", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawResources(t, "a"), drawResources(t, "b")
		if got := a.Add(b).Sub(b); got != a {
			t.Fatalf("%+v + %+v - the same = %+v", a, b, got)
		}
	})
}

// TestMissingExplainsFits: a reason is given exactly when something is missing.
func TestMissingExplainsFits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, free := drawResources(t, "r"), drawResources(t, "free")
		if fits, missing := r.Fits(free), r.Missing(free); fits != (missing == "") {
			t.Fatalf("%+v fits into %+v: %v, missing %q", r, free, fits, missing)
		}
	})
	r := Resources{MilliCPU: 1500, Memory: 512 << 20}
	if got := r.Missing(Resources{MilliCPU: -500}); got != "1.5 CPU and 512 MiB" {
		t.Errorf("missing %q", got)
	}
	r = Resources{MilliCPU: 1500, Disk: 10 << 30, Bandwidth: 100_000_000, MilliGPU: 500}
	if got := r.Missing(Resources{}); got != "1.5 CPU, 10 GiB of disk, 100 Mbit/s and 0.5 GPU" {
		t.Errorf("missing %q", got)
	}
	if !(Resources{MilliCPU: 1}).Fits(Resources{MilliCPU: 1, Disk: -1, Bandwidth: -1, MilliGPU: -1}) {
		t.Error("what is not asked is short")
	}
}

func drawResources(t *rapid.T, label string) Resources {
	return Resources{
		MilliCPU:  rapid.Int64Range(0, MaxMilliCPU).Draw(t, label+" cpu"),
		Memory:    rapid.Int64Range(0, MaxMemory).Draw(t, label+" memory"),
		Disk:      rapid.Int64Range(0, MaxDisk).Draw(t, label+" disk"),
		Bandwidth: rapid.Int64Range(0, MaxBandwidth).Draw(t, label+" bandwidth"),
		MilliGPU:  rapid.Int64Range(0, MaxMilliGPU).Draw(t, label+" gpu"),
	}
}

func TestFormat(t *testing.T) {
	for milli, want := range map[int64]string{0: "0", 1: "0.001", 50: "0.05", 1000: "1", 1500: "1.5", 10000: "10", -500: "-0.5"} {
		if got := FormatCPU(milli); got != want {
			t.Errorf("FormatCPU(%d) = %q, want %q", milli, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1 KiB", 1536: "1.5 KiB", 1 << 30: "1 GiB", 1 << 60: "1024 PiB", -2048: "-2 KiB"} {
		if got := FormatBytes(n); got != want {
			t.Errorf("FormatBytes(%d) = %q, want %q", n, got, want)
		}
	}
}
