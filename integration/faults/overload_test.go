//go:build linux

package faults

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/musterhq/muster/integration/fleet"
	"github.com/musterhq/muster/integration/fleet/fleettest"
	"github.com/musterhq/muster/integration/lab"
)

// modest is far more memory than an agent needs for what is asked of it here, and
// far less than one takes that keeps everything.
const modest = 200 << 20

// TestPriority looks at what keeps heartbeats going out on a busy host: every
// thread of the agent goes first, and so does its session, and the kernel looks
// for another victim when memory runs out.
func TestPriority(t *testing.T) {
	c := cluster(t)
	for _, h := range c.Hosts {
		dir := fmt.Sprintf("/proc/%d", h.AgentPID())
		if got := read(c, dir, "oom_score_adj"); got != "-900" && mayBeProtected(c, h) {
			t.Errorf("%s: the agent's oom_score_adj is %s", h.Name, got)
		}
		if _, err := os.Stat(filepath.Join(dir, "autogroup")); err == nil && !strings.HasSuffix(read(c, dir, "autogroup"), " nice -10") {
			t.Errorf("%s: the agent's autogroup is %s", h.Name, read(c, dir, "autogroup"))
		}
		threads, err := filepath.Glob(filepath.Join(dir, "task", "*"))
		c.Must(err)
		if len(threads) < 2 {
			t.Errorf("%s: threads %q", h.Name, threads)
		}
		for _, thread := range threads {
			if nice := niceness(read(c, thread, "stat")); nice != "-10" && nice != "" {
				t.Errorf("%s: thread %s has nice value %s", h.Name, filepath.Base(thread), nice)
			}
		}
	}
}

// mayBeProtected reports whether this machine lets anybody lower the score.
func mayBeProtected(c *fleettest.Cluster, h *lab.Host) bool {
	c.T.Helper()
	r := h.Exec(c.T.Context(), "sh", "-c", "echo -900 >/proc/self/oom_score_adj")
	if r.ExitCode != 0 {
		c.T.Logf("%s: oom_score_adj is not looked at: %s", h.Name, strings.TrimSpace(r.Stderr))
	}
	return r.ExitCode == 0
}

// niceness is field 19 of a stat file (proc(5)), "" of a thread that has ended.
func niceness(stat string) string {
	_, rest, _ := strings.Cut(stat, ") ")
	if fields := strings.Fields(rest); len(fields) > 16 {
		return fields[16]
	}
	return ""
}

// read is a file of a process, "" if it has ended.
func read(c *fleettest.Cluster, dir, name string) string {
	c.T.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		if _, gone := os.Stat(dir); gone == nil {
			c.Must(err)
		}
	}
	return strings.TrimSpace(string(b))
}

// TestManyCrashLoops runs ten services that end again and again beside one that
// is well: that one answers all the time, another is deployed, no agent grows,
// and no node is called away or down.
func TestManyCrashLoops(t *testing.T) {
	c := cluster(t)
	c.DeployWeb(6)
	calm := watch(c)
	var crashing strings.Builder
	crashing.WriteString("name: loops\nservices:\n")
	for i := range 10 {
		fmt.Fprintf(&crashing, "  loop%d: {image: %s, command: [-crash-after, 50ms]}\n", i, lab.Hello)
	}
	requests := c.Requests(c.Hosts...)
	c.Run(c.Hosts[0], "deploy", "-d", "-f", c.File("compose.yaml", crashing.String()))
	c.Within(2*fleettest.Soon, "ten tasks to have crashed twice", func(ctx context.Context) error {
		tasks, err := fleet.Tasks(ctx, c.Hosts[0], "")
		if err != nil {
			return err
		}
		crashed := 0
		for _, task := range tasks {
			if strings.HasPrefix(task.Service, "loops/") && task.Restarts >= 2 {
				crashed++
			}
		}
		if crashed < 10 {
			return fmt.Errorf("%d have", crashed)
		}
		return nil
	})
	c.Run(c.Hosts[1], "deploy", "-f", c.File("compose.yaml", beside))
	requests.NoneFailed()
	calm()
}

// beside is a small stack that has room.
const beside = `name: beside
services:
  it:
    image: ` + lab.Hello + `
    deploy: {replicas: 3}
`

// TestManyPending deploys one file with 300 services, a thousand tasks in all,
// for none of which there is room: every host answers, a stack that has room is
// deployed beside them, no agent grows, and no node is called away or down.
func TestManyPending(t *testing.T) {
	c := cluster(t)
	before := c.Lives(c.DeployWeb(6))
	calm := watch(c)
	const services, tasks = 300, 1000
	var big strings.Builder
	big.WriteString("name: big\nservices:\n")
	for i := range services {
		replicas := 2
		if i == 0 {
			replicas = tasks - 2*(services-1)
		}
		fmt.Fprintf(&big, "  s%d: {image: %s, deploy: {replicas: %d, resources: {reservations: {memory: 4G}}}}\n", i, lab.Hello, replicas)
	}
	c.Run(c.Hosts[0], "deploy", "-d", "-f", c.File("compose.yaml", big.String()))
	c.Within(fleettest.Soon, "all to be pending, with a reason", func(ctx context.Context) error {
		for _, h := range c.Hosts {
			found, err := fleet.Tasks(ctx, h, "")
			if err != nil {
				return err
			}
			pending := 0
			for _, task := range found {
				if task.State == "pending" && strings.Contains(task.Reason, "2 GiB short") {
					pending++
				}
			}
			if pending != tasks {
				return fmt.Errorf("%s: %d of %d tasks are", h.Name, pending, len(found))
			}
		}
		return nil
	})
	c.Run(c.Hosts[1], "deploy", "-f", c.File("compose.yaml", beside))
	c.Run(c.Hosts[2], "status")
	c.SameLives(before, c.Hosts...)
	c.Run(c.Hosts[0], "rm", "-y", "big")
	calm()
}

// watch notes how it is; the returned function fails the test for every node that
// was called away or down since, and for every agent that held more memory than it
// should.
func watch(c *fleettest.Cluster) (calm func()) {
	c.T.Helper()
	for _, h := range c.Hosts { // proc(5): forget the peak
		c.Must(os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", h.AgentPID()), []byte("5"), 0o200))
	}
	events, err := fleet.Events(c.T.Context(), c.Hosts[0], 0)
	c.Must(err)
	var last uint64
	for _, e := range events {
		last = max(last, e.Index)
	}
	return func() {
		c.T.Helper()
		events, err := fleet.Events(c.T.Context(), c.Hosts[0], last)
		c.Must(err)
		for _, e := range events {
			if e.Type == "node" && (e.Action == "away" || e.Action == "down") {
				c.T.Errorf("%s was called %s: %s", e.Name, e.Action, e.Message)
			}
		}
		for _, h := range c.Hosts {
			peak := status(c, h, "VmHWM")
			c.T.Logf("%s: the agent held up to %d MiB", h.Name, peak>>10)
			if peak<<10 > modest {
				c.T.Errorf("%s: the agent has held %d MiB of memory", h.Name, peak>>10)
			}
		}
	}
}

// status is a number of the agent's /proc/PID/status.
func status(c *fleettest.Cluster, h *lab.Host, field string) int {
	c.T.Helper()
	for line := range strings.Lines(read(c, fmt.Sprintf("/proc/%d", h.AgentPID()), "status")) {
		if name, rest, _ := strings.Cut(line, ":"); name == field {
			n, err := strconv.Atoi(strings.Fields(rest)[0])
			c.Must(err)
			return n
		}
	}
	c.T.Fatalf("the agent of %s has no %s", h.Name, field)
	return 0
}
