package agent

import (
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"time"

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
	toEach(threads, func(id int) {
		if err := unix.Setpriority(unix.PRIO_PROCESS, id, nice); err != nil {
			log.Debug("keep the scheduling priority", "thread", id, "error", err)
		}
	})
	set(log, "/proc/self/autogroup", fmt.Sprint(nice))
	set(log, "/proc/self/oom_score_adj", "-900")
}

// filesWanted is how many files and connections an agent may have open, as the
// systemd unit has it. Every connection to a published port takes two.
const filesWanted = 1 << 20

// raiseOpenFiles lets an agent that was not started by the unit hold as many
// connections as one that was, where the host allows it. Up to the limit that it
// was started with, Go's runtime has gone already; `muster doctor` says where that
// is low.
func raiseOpenFiles(log *slog.Logger) {
	var now unix.Rlimit
	err := unix.Getrlimit(unix.RLIMIT_NOFILE, &now)
	if err == nil && now.Cur < filesWanted {
		err = unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: filesWanted, Max: max(now.Max, filesWanted)})
	}
	if err != nil {
		log.Debug("keep the limit of open files", "limit", now.Cur, "error", err)
	}
}

// clientsAllowed is how many connections to published ports an agent may have
// open that may have so many files: each takes two, and a quarter of them is for
// the log, the other nodes and the users.
func clientsAllowed(files uint64) int { return int(min(files, filesWanted) / 4 * 3 / 2) }

// openFiles is the limit of open files, 0 when it is not known.
func openFiles() uint64 {
	var now unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &now) != nil {
		return 0
	}
	return now.Cur
}

// slack is how late a timer of this process may be, whose shortest is 100 ms.
const slack = 2 * time.Millisecond

// slackenTimers lets the kernel wake this process up late, and less often
// (PR_SET_TIMERSLACK(2const)). What it is for is the Go runtime's monitor, which
// sleeps in steps of 20 microseconds while anything goes on: of what an agent at
// rest took, that was a third.
func slackenTimers(log *slog.Logger) {
	toEach(threads, func(id int) {
		set(log, fmt.Sprintf("/proc/%d/timerslack_ns", id), fmt.Sprint(slack.Nanoseconds()))
	})
}

// toEach does something to every thread once, those included that appear
// meanwhile: one that was not reached yet may have made them, and they are as it
// was. Those to come inherit from these.
func toEach(list func() []int, do func(id int)) {
	done := map[int]bool{}
	for found := true; found; {
		found = false
		for _, id := range list() {
			if !done[id] {
				do(id)
				done[id], found = true, true
			}
		}
	}
}

// threads are the kernel's IDs of this process's threads.
func threads() (ids []int) {
	tasks, _ := os.ReadDir("/proc/self/task")
	for _, t := range tasks {
		if id, err := strconv.Atoi(t.Name()); err == nil {
			ids = append(ids, id)
		}
	}
	return ids
}

func set(log *slog.Logger, path, value string) {
	if err := os.WriteFile(path, []byte(value), 0o644); err != nil {
		log.Debug("keep the default", "file", path, "error", err)
	}
}
