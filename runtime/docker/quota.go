package docker

import (
	"os"
	"slices"
	"strings"
)

// quotaOf reports whether the engine can limit what one container writes: with
// overlay2 on XFS that is mounted with project quotas.
func quotaOf(storage string, status [][2]string, root string) bool {
	if storage != "overlay2" || !slices.Contains(status, [2]string{"Backing Filesystem", "xfs"}) {
		return false
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	return err == nil && projectQuota(string(mounts), root)
}

// projectQuota reports whether the file system that holds path is mounted with
// project quotas, by the kernel's table of mounts (proc_pid_mounts(5)).
func projectQuota(mounts, path string) bool {
	at, found := "", false
	for line := range strings.Lines(mounts) {
		fields := strings.Fields(line)
		if len(fields) < 4 || !within(path, fields[1]) || len(fields[1]) < len(at) {
			continue
		}
		options := strings.Split(fields[3], ",")
		at, found = fields[1], slices.Contains(options, "prjquota") || slices.Contains(options, "pquota")
	}
	return found
}
