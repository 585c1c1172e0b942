//go:build linux

package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
)

// All hosts read the same /proc. Each therefore has a directory of its own for
// HOST_PROC, in which the files of its meter are written once a second and the
// rest points to the real /proc.

// borrowed are the entries of /proc that are the machine's or the reader's own.
var borrowed = []string{
	"1", "cpuinfo", "diskstats", "filesystems", "mounts", "net", "partitions", "self", "sys", "version", "vmstat",
}

func (h *Host) procDir() string { return filepath.Join(h.Dir, "proc") }

// makeProcDir mounts the directory: writing it every second must not add to what
// the lab's disk has to flush.
func (h *Host) makeProcDir() error {
	if err := os.MkdirAll(h.procDir(), 0o755); err != nil {
		return err
	}
	if err := mountTmpfs(h.procDir(), 1<<20); err != nil {
		return err
	}
	for _, name := range borrowed {
		if err := os.Symlink("/proc/"+name, filepath.Join(h.procDir(), name)); err != nil {
			return err
		}
	}
	return nil
}

// startMeter makes the files of a host that boots, before its first process.
func (h *Host) startMeter(now time.Time) error {
	total := uint64(h.lab.opts.Memory)
	if total == 0 {
		var err error
		if total, err = machineMemory(); err != nil {
			return err
		}
	}
	u, err := h.lab.cgroups.read(h.Name)
	if err != nil {
		return fmt.Errorf("read what %s uses: %w", h.Name, err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.meter = newMeter(now, runtime.NumCPU(), total, u)
	return writeFiles(h.procDir(), h.meter.files())
}

// feedProc takes a reading and writes the host's files.
func (h *Host) feedProc(now time.Time) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.init.alive() {
		return nil
	}
	u, err := h.lab.cgroups.read(h.Name)
	if err != nil {
		return fmt.Errorf("read what %s uses: %w", h.Name, err)
	}
	h.meter.advance(now, u)
	return writeFiles(h.procDir(), h.meter.files())
}

// feeder writes the directories of all hosts of a lab.
type feeder struct{ done sync.WaitGroup }

func (f *feeder) start(ctx context.Context, l *Lab) {
	f.done.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case now := <-tick.C:
				for _, h := range l.Hosts() {
					if err := h.feedProc(now); err != nil {
						l.logf("HOST_PROC: %v", err)
					}
				}
			}
		}
	})
}

func (f *feeder) wait() { f.done.Wait() }

// writeFiles replaces each file as a whole, so that nobody reads half of one.
func writeFiles(dir string, files map[string]string) error {
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path+".new", []byte(content), 0o644); err != nil {
			return err
		}
		if err := os.Rename(path+".new", path); err != nil {
			return err
		}
	}
	return nil
}

// machineMemory is the machine's MemTotal in bytes.
func machineMemory() (uint64, error) {
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == "MemTotal:" {
			kib, err := strconv.ParseUint(f[1], 10, 64)
			return kib * 1024, err
		}
	}
	return 0, fmt.Errorf("/proc/meminfo has no MemTotal")
}
