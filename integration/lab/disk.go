//go:build linux

package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// diskImage is the file, in the host's directory, that holds the file system of
// its agent's data.
const diskImage = "data.img"

// mountImage makes a file system in a file of that many bytes and mounts it at
// path. The kernel lets go of the loop device with the mount.
func mountImage(image, path string, size int64) error {
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		return fmt.Errorf("make the disk %s: %w", image, err)
	}
	if err := os.Truncate(image, size); err != nil {
		return fmt.Errorf("make the disk %s: %w", image, err)
	}
	for _, argv := range [][]string{
		{"mkfs.ext4", "-q", "-F", "-m", "0", image},
		{"mount", "-o", "loop", image, path},
	} {
		if out, err := exec.CommandContext(context.Background(), argv[0], argv[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("make the disk %s: %s: %w: %s", image, argv[0], err, out)
		}
	}
	return nil
}

// HangDisk makes every write to where the agent keeps its data wait in the
// kernel, for ThawDisk, as on a disk that does not answer any more; what was
// written can still be read. A process that waits does not even die by SIGKILL.
// The lab must have been made with LoopDisk.
func (h *Host) HangDisk() error {
	if !h.lab.opts.LoopDisk {
		return errors.New("hang the disk: the lab was made without LoopDisk")
	}
	h.lab.logf("%s: the disk hangs", h.Name)
	if err := freeze(h.DataDir, fiFreeze); err != nil {
		return fmt.Errorf("hang the disk of %s: %w", h.Name, err)
	}
	return nil
}

// ThawDisk ends HangDisk; a disk that does not hang is left alone.
func (h *Host) ThawDisk() error {
	if !h.lab.opts.LoopDisk {
		return nil
	}
	if err := thaw(h.DataDir); err != nil {
		return fmt.Errorf("thaw the disk of %s: %w", h.Name, err)
	}
	return nil
}

// Requests to a file system, see ioctl_fs(2) and linux/fs.h.
const (
	fiFreeze = 0xc0045877
	fiThaw   = 0xc0045878
)

func freeze(dir string, request uint) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.IoctlSetInt(int(f.Fd()), request, 0)
}

func thaw(dir string) error {
	if err := freeze(dir, fiThaw); err != nil && !errors.Is(err, unix.EINVAL) { // it is not frozen
		return err
	}
	return nil
}

// onLoop reports whether a mount is the disk of a host whose lab has, or had, the
// directory.
func (m mount) onLoop(dir string) bool {
	return dir != "" && strings.HasPrefix(m.source, "/dev/loop") && strings.HasPrefix(m.target, filepath.Clean(dir)+"/")
}

// thawAll lets every disk of a lab in dir go on: nothing that waits for one could
// be killed.
func thawAll(dir string) error {
	mounts, err := readMounts()
	if err != nil {
		return err
	}
	for _, m := range mounts {
		if m.onLoop(dir) {
			if err := thaw(m.target); err != nil {
				return fmt.Errorf("thaw %s: %w", m.target, err)
			}
		}
	}
	return nil
}
