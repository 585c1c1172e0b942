package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
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
