package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cli/paint"
	"github.com/musterhq/muster/cluster"
)

// noValue stands for a value that is not there.
const noValue = "-"

func orNone(s string) string {
	if s == "" {
		return noValue
	}
	return s
}

// age is how long ago t was, in one unit.
func (c *CLI) age(t time.Time) string {
	if t.IsZero() {
		return noValue
	}
	d := max(c.Now().Sub(t), 0)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

// shorten cuts a text after so many characters, and says that there was more.
func shorten(s string, most int) string {
	const more = "..."
	if r := []rune(s); len(r) > most {
		return string(r[:most-len(more)]) + more
	}
	return s
}

// plural is "1 task", "2 tasks".
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func cores(n float64) string { return cluster.FormatCPU(int64(n * 1000)) }

// shortDigest is enough of an image's or container's ID to recognise it.
func shortDigest(id string) string {
	id = strings.TrimPrefix(id, "sha256:")
	return id[:min(12, len(id))]
}

// slotName is how people call a task: "shop/web.2".
func slotName(t api.Task) string { return fmt.Sprintf("%s.%d", t.Service, t.Slot) }

// over reports whether a task's state is one that it does not leave.
func over(state string) bool {
	return slices.Contains([]string{string(cluster.StateComplete), string(cluster.StateFailed), string(cluster.StateStopped)}, state)
}

// cause is why a task is in its state, as far as somebody said.
func cause(t api.Task) string {
	var parts []string
	if t.Error != "" {
		parts = append(parts, t.Error)
	}
	if t.Reason != "" && t.Reason != t.Error {
		parts = append(parts, t.Reason)
	}
	ended := t.State == string(cluster.StateFailed) || t.State == string(cluster.StateBackoff)
	if ended && t.ExitCode != 0 && !strings.Contains(t.Error, "exit") {
		parts = append(parts, fmt.Sprintf("exit code %d", t.ExitCode))
	}
	if t.Restarts > 0 {
		parts = append(parts, plural(t.Restarts, "restart"))
	}
	return paint.Printable(strings.Join(parts, "; "))
}

// parseSince reads a moment, or how long ago it was.
func (c *CLI) parseSince(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(s); err == nil {
		return c.Now().Add(-d.Abs()), nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, s, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usagef("--since %q is not a time; give one such as 10m or 2026-01-31T15:04:05Z", s)
}
