package hoststats

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// proc is a HOST_PROC of a made-up host.
type proc struct{ dir string }

func newProc(t *testing.T, cores int) proc {
	t.Helper()
	p := proc{t.TempDir()}
	t.Setenv("HOST_PROC", p.dir)
	var info strings.Builder
	for i := range cores {
		fmt.Fprintf(&info, "processor\t: %d\nmodel name\t: made up\n\n", i)
	}
	p.write(t, "cpuinfo", info.String())
	p.write(t, "loadavg", "1.50 0.50 0.25 2/345 6789\n")
	p.memory(t, 8<<20, 6<<20)
	p.ticks(t, 1000, 9000, 0, 0)
	return p
}

func (p proc) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// memory is in KiB.
func (p proc) memory(t *testing.T, total, available int) {
	t.Helper()
	p.write(t, "meminfo", fmt.Sprintf("MemTotal: %d kB\nMemFree: 1024 kB\nMemAvailable: %d kB\nBuffers: 1 kB\nCached: 1 kB\n", total, available))
}

// ticks are hundredths of a second since boot, summed over all cores.
func (p proc) ticks(t *testing.T, user, idle, iowait, steal int) {
	t.Helper()
	p.write(t, "stat", fmt.Sprintf("cpu  %d 0 0 %d %d 0 0 %d 0 0\n", user, idle, iowait, steal))
}

func mustNew(t *testing.T) *Sampler {
	t.Helper()
	s, err := New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestCapacity(t *testing.T) {
	newProc(t, 4)
	cpu, mem, err := mustNew(t).Capacity(t.Context())
	if err != nil || cpu != 4000 || mem != 8<<30 {
		t.Errorf("got %d milli, %d bytes, %v; want 4000, %d", cpu, mem, err, int64(8<<30))
	}
}

func TestSampleAveragesSinceThePrevious(t *testing.T) {
	p := newProc(t, 4)
	s := mustNew(t)
	for _, step := range []struct {
		name                      string
		user, idle, iowait, steal int
		want                      int64
	}{
		{"no time passed", 1000, 9000, 0, 0, 0},
		{"a quarter busy", 1100, 9300, 0, 0, 1000},
		{"no time passed again", 1100, 9300, 0, 0, 1000},
		{"all busy", 1500, 9300, 0, 0, 4000},
		{"a quarter busy, the rest waiting for a disk", 1600, 9300, 300, 0, 1000},
		{"half stolen", 1600, 9500, 300, 200, 2000},
		{"counters restarted", 10, 90, 0, 0, 2000},
		{"a tenth busy after the restart", 20, 180, 0, 0, 400},
	} {
		p.ticks(t, step.user, step.idle, step.iowait, step.steal)
		u, err := s.Sample(t.Context())
		if err != nil || u.CPUMilli != step.want {
			t.Errorf("%s: %d milli, %v; want %d", step.name, u.CPUMilli, err, step.want)
		}
	}
}

func TestSampleMemoryAndLoad(t *testing.T) {
	p := newProc(t, 2)
	s := mustNew(t)
	for _, tc := range []struct {
		total, available int
		want             int64
	}{
		{8 << 20, 6 << 20, 2 << 30},
		{8 << 20, 8 << 20, 0},
		{8 << 20, 9 << 20, 0}, // seen in containers: more available than there is
	} {
		p.memory(t, tc.total, tc.available)
		u, err := s.Sample(t.Context())
		if err != nil || u.MemoryUsed != tc.want || u.Load1 != 1.5 {
			t.Errorf("available %d of %d KiB: %+v, %v; want %d bytes, load 1.5", tc.available, tc.total, u, err, tc.want)
		}
	}
}

func TestUnreadableHost(t *testing.T) {
	p := newProc(t, 2)
	s := mustNew(t)
	p.write(t, "stat", "intr 0\n")
	if _, err := s.Sample(t.Context()); err == nil {
		t.Error("sampled without a CPU line")
	}
	p.ticks(t, 1, 1, 0, 0)
	p.write(t, "meminfo", "")
	if _, err := s.Sample(t.Context()); err == nil {
		t.Error("sampled without memory figures")
	}
	if _, _, err := s.Capacity(t.Context()); err == nil {
		t.Error("capacity without memory figures")
	}
	t.Setenv("HOST_PROC", t.TempDir())
	if _, err := New(t.Context()); err == nil {
		t.Error("started on an empty directory")
	}
}

func TestThisHost(t *testing.T) {
	t.Setenv("HOST_PROC", "/proc")
	if _, err := os.Stat("/proc/stat"); err != nil {
		t.Skip("no /proc on this system")
	}
	s := mustNew(t)
	cpu, mem, err := s.Capacity(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	u, err := s.Sample(t.Context())
	if err != nil || u.CPUMilli < 0 || u.CPUMilli > cpu || u.MemoryUsed <= 0 || u.MemoryUsed > mem {
		t.Errorf("of %d milli and %d bytes: %+v, %v", cpu, mem, u, err)
	}
}
