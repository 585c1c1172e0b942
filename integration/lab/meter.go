//go:build linux

package lab

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// meter turns what a host's control group has counted into the files of /proc
// that tools read a machine's load from. It reads no clock.
type meter struct {
	cpus   int
	total  uint64 // memory of the machine in bytes
	booted time.Time
	base   usage // what earlier boots had used

	at   time.Time
	used usage // CPU time since the boot
	idle uint64
	load [3]float64 // cores in use, averaged over 1, 5 and 15 minutes
}

func newMeter(booted time.Time, cpus int, total uint64, u usage) *meter {
	m := &meter{cpus: cpus, total: total, booted: booted, at: booted, base: u}
	m.advance(booted, u)
	return m
}

// advance takes a new reading. Counters never go back, whatever is read.
func (m *meter) advance(now time.Time, u usage) {
	before := m.used.user + m.used.system
	m.used = usage{
		user:   max(m.used.user, u.user-min(u.user, m.base.user)),
		system: max(m.used.system, u.system-min(u.system, m.base.system)),
		memory: min(u.memory, m.total),
		cache:  min(u.cache, u.memory, m.total),
	}
	busy := m.used.user + m.used.system
	if all := m.upTicks(now) * uint64(m.cpus); all > busy {
		m.idle = max(m.idle, all-busy)
	}
	if elapsed := now.Sub(m.at); elapsed > 0 {
		cores := float64(busy-before) / ticks / elapsed.Seconds()
		for i, period := range []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute} {
			keep := math.Exp(-elapsed.Seconds() / period.Seconds())
			m.load[i] = m.load[i]*keep + cores*(1-keep)
		}
	}
	m.at = now
}

func (m *meter) upTicks(now time.Time) uint64 {
	return uint64(max(0, now.Sub(m.booted).Seconds()) * ticks)
}

// files renders the directory: name to contents.
func (m *meter) files() map[string]string {
	return map[string]string{
		"stat":    m.stat(),
		"meminfo": m.meminfo(),
		"loadavg": fmt.Sprintf("%.2f %.2f %.2f 1/1 1\n", m.load[0], m.load[1], m.load[2]),
		"uptime":  fmt.Sprintf("%.2f %.2f\n", m.at.Sub(m.booted).Seconds(), float64(m.idle)/ticks),
	}
}

// stat spreads the host's CPU time evenly over its cores: see proc(5) for the
// columns.
func (m *meter) stat() string {
	var b strings.Builder
	fmt.Fprintf(&b, "cpu  %d 0 %d %d 0 0 0 0 0 0\n", m.used.user, m.used.system, m.idle)
	n := uint64(m.cpus)
	for i := range n {
		share := func(all uint64) uint64 { return (all + n - 1 - i) / n }
		fmt.Fprintf(&b, "cpu%d %d 0 %d %d 0 0 0 0 0 0\n", i, share(m.used.user), share(m.used.system), share(m.idle))
	}
	fmt.Fprintf(&b, "intr 0\nctxt 0\nbtime %d\nprocesses 1\nprocs_running 1\nprocs_blocked 0\n", m.booted.Unix())
	return b.String()
}

func (m *meter) meminfo() string {
	var b strings.Builder
	for _, line := range []struct {
		name  string
		bytes uint64
	}{
		{"MemTotal", m.total},
		{"MemFree", m.total - m.used.memory},
		{"MemAvailable", m.total - m.used.memory + m.used.cache},
		{"Buffers", 0},
		{"Cached", m.used.cache},
		{"SwapTotal", 0},
		{"SwapFree", 0},
	} {
		fmt.Fprintf(&b, "%-15s %10d kB\n", line.name+":", line.bytes/1024)
	}
	return b.String()
}
