//go:build linux

package lab

import (
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// await waits for a condition, as long as the test may run.
func await(t *testing.T, cond func() bool) {
	t.Helper()
	if err := poll(t.Context(), 10*time.Millisecond, func() (bool, error) { return cond(), nil }); err != nil {
		t.Fatal(err)
	}
}

func TestMeter(t *testing.T) {
	booted := time.Unix(1_800_000_000, 0)
	const mib = 1 << 20
	// An earlier boot has used 1,000 ticks, which are not this one's.
	m := newMeter(booted, 2, 1024*mib, usage{user: 1000, system: 500})
	m.advance(booted.Add(10*time.Second), usage{user: 1301, system: 600, memory: 100 * mib, cache: 40 * mib})

	want := map[string]string{
		"stat": "cpu  301 0 100 1599 0 0 0 0 0 0\n" +
			"cpu0 151 0 50 800 0 0 0 0 0 0\n" +
			"cpu1 150 0 50 799 0 0 0 0 0 0\n" +
			"intr 0\nctxt 0\nbtime 1800000000\nprocesses 1\nprocs_running 1\nprocs_blocked 0\n",
		"meminfo": "MemTotal:          1048576 kB\n" +
			"MemFree:            946176 kB\n" +
			"MemAvailable:       987136 kB\n" +
			"Buffers:                 0 kB\n" +
			"Cached:              40960 kB\n" +
			"SwapTotal:               0 kB\n" +
			"SwapFree:                0 kB\n",
		"loadavg": "0.06 0.01 0.00 1/1 1\n",
		"uptime":  "10.00 15.99\n",
	}
	if diff := cmp.Diff(want, m.files()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestMeterNeverGoesBack reads counters that jitter and a clock that stands.
func TestMeterNeverGoesBack(t *testing.T) {
	booted := time.Unix(1_800_000_000, 0)
	m := newMeter(booted, 1, 1<<30, usage{user: 50})
	m.advance(booted.Add(time.Second), usage{user: 80})
	before := *m
	m.advance(booted.Add(time.Second), usage{user: 200, memory: 1 << 40, cache: 1 << 41})
	m.advance(booted.Add(time.Second), usage{user: 10})
	if m.idle < before.idle || m.used.user < 150 {
		t.Errorf("went back: %+v, then %+v", before, m)
	}
	if strings.Contains(m.meminfo(), "-") {
		t.Errorf("more memory used than there is:\n%s", m.meminfo())
	}
}

// TestBusy checks that load on one host shows on that host and not on the next.
func TestBusy(t *testing.T) {
	l := newLab(t, Options{})
	hosts := startHosts(t, l, 2)
	stop, err := hosts[0].Busy(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	used := func(h *Host) (user, idle int) {
		r := h.Exec(t.Context(), "cat", filepath.Join(h.procDir(), "stat"))
		f := strings.Fields(r.Stdout)
		if r.ExitCode != 0 || len(f) < 5 {
			t.Fatalf("read the host's stat: %+v", r)
		}
		user, _ = strconv.Atoi(f[1])
		idle, _ = strconv.Atoi(f[4])
		return user, idle
	}
	first, _ := used(hosts[0])
	await(t, func() bool { user, _ := used(hosts[0]); return user-first > ticks })
	if user, idle := used(hosts[1]); user > idle/2 {
		t.Errorf("the load of n1 shows on n2: user %d, idle %d", user, idle)
	}
	r := hosts[1].Exec(t.Context(), "head", "-1", filepath.Join(hosts[1].procDir(), "self", "comm"))
	if r.Stdout != "head\n" {
		t.Errorf("the borrowed part of HOST_PROC: %+v", r)
	}
}

// TestHog gives hosts a size of their own, of which a process really takes most.
func TestHog(t *testing.T) {
	const size, taken = 1 << 30, 600 << 20
	l := newLab(t, Options{Memory: size})
	h := startHosts(t, l, 1)[0]
	available := func() int {
		r := h.Exec(t.Context(), "grep", "-E", "^Mem(Total|Available)", filepath.Join(h.procDir(), "meminfo"))
		f := strings.Fields(r.Stdout)
		if len(f) != 6 || f[1] != strconv.Itoa(size>>10) {
			t.Fatalf("read the host's meminfo: %+v", r)
		}
		kib, _ := strconv.Atoi(f[4])
		return kib << 10
	}
	before := available()
	stop, err := h.Hog(t.Context(), taken)
	if err != nil {
		t.Fatal(err)
	}
	await(t, func() bool { return before-available() > taken*9/10 })
	stop()
	await(t, func() bool { return before-available() < taken/10 })
	if r := h.Exec(t.Context(), "pgrep", "tail"); r.ExitCode == 0 {
		t.Errorf("a process is left: %+v", r)
	}
}
