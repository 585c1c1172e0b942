//go:build linux

package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// mountSource is the device name of every file system a lab mounts.
const mountSource = "muster-lab"

// Sweep removes what an interrupted lab left on the machine. New does the same;
// this is for tidying up without making another. It waits for a running lab.
func Sweep(ctx context.Context) error {
	lock, err := acquire(ctx, io.Discard)
	if err != nil {
		return err
	}
	err = sweep(ctx, recordedDir(lock))
	if err == nil {
		err = recordDir(lock, "")
	}
	return errors.Join(err, lock.Close())
}

// sweep removes every trace of a lab, whoever made it. The caller has the lock.
// Processes go first: they hold all the rest.
func sweep(ctx context.Context, dir string) error {
	if err := thawAll(dir); err != nil {
		return fmt.Errorf("sweep disks: %w", err)
	}
	spaces, err := filepath.Glob(filepath.Join(netnsDir, netnsPrefix+"*"))
	if err != nil {
		return err
	}
	if err := killIn(ctx, spaces); err != nil {
		return fmt.Errorf("sweep processes: %w", err)
	}
	for _, path := range spaces {
		name := filepath.Base(path)
		if err := removeNetns(ctx, name, linkPrefix+strings.TrimPrefix(name, netnsPrefix)); err != nil {
			return fmt.Errorf("sweep namespaces: %w", err)
		}
	}
	if err := removeLinks(ctx); err != nil {
		return fmt.Errorf("sweep links: %w", err)
	}
	if err := unmountAll(dir); err != nil {
		return fmt.Errorf("sweep mounts: %w", err)
	}
	if err := removeCgroups(ctx); err != nil {
		return fmt.Errorf("sweep control groups: %w", err)
	}
	return removeDir(dir)
}

// killIn kills every process whose network namespace is one of those, until none
// is left. A host's init is among them, and all else in the host dies with it.
func killIn(ctx context.Context, spaces []string) error {
	var infos []os.FileInfo
	for _, path := range spaces {
		if info, err := os.Stat(path); err == nil {
			infos = append(infos, info)
		}
	}
	if len(infos) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	return poll(ctx, 5*time.Millisecond, func() (bool, error) {
		pids := processesIn(infos)
		for _, pid := range pids {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
		return len(pids) == 0, nil
	})
}

func processesIn(spaces []os.FileInfo) []int {
	entries, _ := os.ReadDir("/proc")
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		info, err := os.Stat(fmt.Sprintf("/proc/%d/ns/net", pid))
		if err != nil {
			continue
		}
		for _, space := range spaces {
			if os.SameFile(info, space) {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

func unmountAll(dir string) error {
	mounts, err := readMounts()
	if err != nil {
		return err
	}
	for i := len(mounts) - 1; i >= 0; i-- {
		if m := mounts[i]; m.source == mountSource || m.onLoop(dir) {
			if err := unix.Unmount(m.target, unix.MNT_DETACH); err != nil {
				return fmt.Errorf("unmount %s: %w", m.target, err)
			}
		}
	}
	return nil
}

// mountTmpfs mounts a file system in memory at path; size in bytes.
func mountTmpfs(path string, size int64) error {
	if err := unix.Mount(mountSource, path, "tmpfs", 0, fmt.Sprintf("size=%d,mode=0755", size)); err != nil {
		return fmt.Errorf("mount a tmpfs at %s: %w", path, err)
	}
	return nil
}

type mount struct{ source, target, kind, options string }

func readMounts() ([]mount, error) {
	b, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return nil, fmt.Errorf("read mounts: %w", err)
	}
	var mounts []mount
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) >= 4 {
			mounts = append(mounts, mount{source: f[0], target: unescapeMount.Replace(f[1]), kind: f[2], options: f[3]})
		}
	}
	return mounts, nil
}

// unescapeMount undoes the octal escapes of /proc/mounts, see fstab(5).
var unescapeMount = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
