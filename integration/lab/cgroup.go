//go:build linux

package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// cgroupTree is the control group over all hosts. Host n1 has
//
//	muster-lab/n1          what the host has used, read by the host's HOST_PROC
//	muster-lab/n1/system   its init, engine, agent
//	muster-lab/n1/docker   its containers, made by its engine
//
// in the hierarchies that count CPU time and memory. The one that shares CPU time
// out is left alone where it is separate, so that automatic groups (sched(7))
// work in a host as they do on a machine.
const cgroupTree = "muster-lab"

// cgroups are the directories of the mounted hierarchies; with version 2 both are
// the same one.
type cgroups struct {
	unified     bool
	cpu, memory string
}

// usage is what the processes of a host have used.
type usage struct {
	user, system  uint64 // CPU time since the group was made, in ticks of 1/100 s
	memory, cache uint64 // bytes; cache is the part that can be given back
}

// ticks a second in /proc/stat and cpuacct.stat; the kernel fixes it for user space.
const ticks = 100

func findCgroups() (cgroups, error) {
	mounts, err := readMounts()
	if err != nil {
		return cgroups{}, err
	}
	var c cgroups
	var unified string
	for _, m := range mounts {
		options := strings.Split(m.options, ",")
		switch {
		case m.kind == "cgroup2":
			unified = m.target
		case m.kind == "cgroup" && slices.Contains(options, "cpuacct"):
			c.cpu = m.target
		case m.kind == "cgroup" && slices.Contains(options, "memory"):
			c.memory = m.target
		}
	}
	if c.cpu != "" && c.memory != "" {
		return c, nil
	}
	if unified != "" {
		return cgroups{unified: true, cpu: unified, memory: unified}, nil
	}
	return cgroups{}, errors.New("the lab needs control groups at /sys/fs/cgroup: run integration/lab/install/install.sh")
}

func (c cgroups) dirs() []string {
	if c.unified {
		return []string{c.cpu}
	}
	return []string{c.cpu, c.memory}
}

// add makes the groups of a host.
func (c cgroups) add(host string) error {
	for _, dir := range c.dirs() {
		if err := os.MkdirAll(filepath.Join(dir, cgroupTree, host, "system"), 0o755); err != nil {
			return fmt.Errorf("make the control group of %s: %w", host, err)
		}
		if !c.unified {
			continue
		}
		for _, parent := range []string{dir, filepath.Join(dir, cgroupTree), filepath.Join(dir, cgroupTree, host)} {
			control := filepath.Join(parent, "cgroup.subtree_control")
			if err := os.WriteFile(control, []byte("+memory"), 0o644); err != nil {
				return fmt.Errorf("count the memory of %s: %w", host, err)
			}
		}
	}
	return nil
}

// join makes the next process that the calling thread starts with cmd a member
// of the host's groups. Version 1 has no way but to move the thread itself.
func (c cgroups) join(host string, cmd *exec.Cmd) (release func(), err error) {
	if !c.unified {
		for _, dir := range c.dirs() {
			path := filepath.Join(dir, cgroupTree, host, "system", "tasks")
			if err := os.WriteFile(path, []byte("0"), 0o644); err != nil {
				return nil, fmt.Errorf("join the control group of %s: %w", host, err)
			}
		}
		return func() {}, nil
	}
	f, err := os.Open(filepath.Join(c.cpu, cgroupTree, host, "system"))
	if err != nil {
		return nil, fmt.Errorf("join the control group of %s: %w", host, err)
	}
	cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, int(f.Fd())
	return func() { f.Close() }, nil
}

// read adds up what the host's groups count.
func (c cgroups) read(host string) (usage, error) {
	cpu, memory := filepath.Join(c.cpu, cgroupTree, host), filepath.Join(c.memory, cgroupTree, host)
	if c.unified {
		times, err1 := readTable(filepath.Join(cpu, "cpu.stat"))
		total, err2 := readNumber(filepath.Join(memory, "memory.current"))
		parts, err3 := readTable(filepath.Join(memory, "memory.stat"))
		const usecPerTick = 1_000_000 / ticks
		return usage{
			user: times["user_usec"] / usecPerTick, system: times["system_usec"] / usecPerTick,
			memory: total, cache: parts["file"],
		}, errors.Join(err1, err2, err3)
	}
	times, err1 := readTable(filepath.Join(cpu, "cpuacct.stat"))
	total, err2 := readNumber(filepath.Join(memory, "memory.usage_in_bytes"))
	parts, err3 := readTable(filepath.Join(memory, "memory.stat"))
	return usage{
		user: times["user"], system: times["system"],
		memory: total, cache: parts["total_cache"],
	}, errors.Join(err1, err2, err3)
}

// removeCgroups removes the tree from every hierarchy: engines make it in those
// too that the lab does not use.
func removeCgroups(ctx context.Context) error {
	mounts, err := readMounts()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for _, m := range mounts {
		if m.kind != "cgroup" && m.kind != "cgroup2" {
			continue
		}
		tree := filepath.Join(m.target, cgroupTree)
		// A group is busy for a moment after its last process has ended.
		if err := poll(ctx, 5*time.Millisecond, func() (bool, error) { return removeTree(tree) }); err != nil {
			return fmt.Errorf("remove %s: %w", tree, err)
		}
	}
	return nil
}

// removeTree removes the directories of a control group from the leaves up; its
// files go with them. False means that a group was busy.
func removeTree(tree string) (bool, error) {
	var dirs []string
	err := filepath.WalkDir(tree, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			dirs = append(dirs, path)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	if err != nil {
		return false, err
	}
	for _, dir := range slices.Backward(dirs) {
		err := unix.Rmdir(dir)
		if errors.Is(err, unix.EBUSY) {
			return false, nil
		}
		if err != nil && !errors.Is(err, unix.ENOENT) {
			return false, err
		}
	}
	return true, nil
}

// readTable reads lines of "name number".
func readTable(path string) (map[string]uint64, error) {
	b, err := os.ReadFile(path)
	table := make(map[string]uint64)
	for line := range bytes.Lines(b) {
		if f := strings.Fields(string(line)); len(f) == 2 {
			if n, err := strconv.ParseUint(f[1], 10, 64); err == nil {
				table[f[0]] = n
			}
		}
	}
	return table, err
}

func readNumber(path string) (uint64, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(string(bytes.TrimSpace(b)), 10, 64)
}
