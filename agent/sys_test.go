package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Every thread, the runtime's own that were there before main included, and
// those that these make.
func TestTimersAreSlackened(t *testing.T) {
	slackenTimers(slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})))
	ids := threads()
	if len(ids) < 2 {
		t.Fatalf("threads %v", ids)
	}
	for _, id := range ids {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/timerslack_ns", id))
		switch {
		case errors.Is(err, fs.ErrPermission):
			t.Skipf("this host lets nobody look at timers: %v", err)
		case errors.Is(err, fs.ErrNotExist):
			continue // it has ended
		case err != nil || strings.TrimSpace(string(b)) != fmt.Sprint(slack.Nanoseconds()):
			t.Errorf("thread %d: %q, %v", id, b, err)
		}
	}
}

// A thread that one makes which was not reached yet is reached as well.
func TestThreadsThatAppearMeanwhile(t *testing.T) {
	there := []int{1, 2}
	reached := map[int]int{}
	toEach(func() []int { return slices.Clone(there) }, func(id int) {
		reached[id]++
		if id < 4 {
			there = append(there, id+2)
		}
	})
	if want := map[int]int{1: 1, 2: 1, 3: 1, 4: 1, 5: 1}; !maps.Equal(reached, want) {
		t.Errorf("reached %v, want each of %v once", reached, there)
	}
}

// An agent that was started with few files allowed raises that itself, if it may.
func TestOpenFilesAreRaised(t *testing.T) {
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Setrlimit(unix.RLIMIT_NOFILE, &before) })
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: filesWanted, Max: max(before.Max, filesWanted)}); err != nil {
		t.Skipf("this host lets nobody raise the limit: %v", err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 4096, Max: 4096}); err != nil {
		t.Fatal(err)
	}
	raiseOpenFiles(slog.New(slog.NewTextHandler(t.Output(), nil)))
	var now unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &now); err != nil || now.Cur != filesWanted {
		t.Errorf("%+v, %v", now, err)
	}
}

// Clients of published ports never take the files that the agent itself needs.
func TestClientsLeaveFiles(t *testing.T) {
	for _, files := range []uint64{1024, 20_000, filesWanted, math.MaxUint64} {
		taken, all := 2*uint64(clientsAllowed(files)), min(files, filesWanted)
		if taken == 0 || taken > all-all/4 {
			t.Errorf("of %d files clients may take %d", files, taken)
		}
	}
}
