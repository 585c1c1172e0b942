package agent

import (
	"fmt"
	"log/slog"
	"os"

	"golang.org/x/sys/unix"
)

func umask(mask int) int { return unix.Umask(mask) }

// room is what is free, and what there is at all, on the file system of a
// directory, in bytes.
func room(dir string) (free, size int64, err error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return 0, 0, fmt.Errorf("measure the disk under %s: %w", dir, err)
	}
	return int64(fs.Bavail) * fs.Bsize, int64(fs.Blocks) * fs.Bsize, nil
}

// raisePriority keeps heartbeats on time on a busy host. A nice value alone
// does nothing across sessions where autogroups are on (sched(7)), so the
// session's group gets a weight of its own; and the kernel is asked to look for
// another victim when memory runs out. A host that forbids it is served as is.
func raisePriority(log *slog.Logger) {
	const nice = -10
	if err := unix.Setpriority(unix.PRIO_PROCESS, 0, nice); err != nil {
		log.Debug("keep the scheduling priority", "error", err)
	}
	for path, value := range map[string]string{
		"/proc/self/autogroup":     fmt.Sprint(nice),
		"/proc/self/oom_score_adj": "-900",
	} {
		if err := os.WriteFile(path, []byte(value), 0o644); err != nil {
			log.Debug("keep the default", "file", path, "error", err)
		}
	}
}
