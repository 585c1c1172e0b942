//go:build linux

package failover

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/integration/fleet"
	"github.com/musterhq/muster/integration/lab"
)

const (
	web  = "app/web"
	port = 8080
	// soon bounds what a healthy cluster does in a few seconds.
	soon = 30 * time.Second
)

// stack is a Compose file with one service; lines are added to the service.
func stack(replicas int, lines ...string) string {
	text := fmt.Sprintf(`name: app
services:
  web:
    image: %s
    ports: ["%d:80"]
    stop_grace_period: 1s
    deploy:
      replicas: %d
`, lab.Hello, port, replicas)
	for _, line := range lines {
		text += "    " + line + "\n"
	}
	return text
}

// deployWeb deploys n tasks and waits until every host answers.
func deployWeb(t *testing.T, f *fleet.Fleet, n int) []fleet.Container {
	t.Helper()
	run(t, f.Hosts[1], "deploy", "-f", file(t, stack(n)))
	must(t, f.AwaitAnswers(t.Context(), port, f.Hosts...))
	return awaitRunning(t, n, f.Hosts...)
}

// awaitRunning waits until exactly n containers of the service run on hosts.
func awaitRunning(t *testing.T, n int, hosts ...*lab.Host) []fleet.Container {
	t.Helper()
	running, err := fleet.AwaitRunning(t.Context(), web, n, hosts...)
	must(t, err)
	return running
}

// lives are the containers and when each was started: the same value later means
// that none was replaced or restarted.
func lives(t *testing.T, containers []fleet.Container) map[string]time.Time {
	t.Helper()
	lives := make(map[string]time.Time)
	for _, c := range containers {
		seen, err := c.Host.Inspect(t.Context(), c.ID)
		must(t, err)
		lives[c.Host.Name+" "+c.Name] = seen.StartedAt
	}
	return lives
}

// sameLives fails the test unless the same containers run, without a restart.
func sameLives(t *testing.T, before map[string]time.Time, hosts ...*lab.Host) {
	t.Helper()
	running, err := fleet.Containers(t.Context(), web, hosts...)
	must(t, err)
	if diff := cmp.Diff(before, lives(t, running)); diff != "" {
		t.Errorf("containers were replaced or restarted (-before +after):\n%s", diff)
	}
}

// settled waits until the service has n running tasks, all on nodes that are up,
// and no others: what the cluster says is what the engines have.
func settled(t *testing.T, f *fleet.Fleet, n int, hosts ...*lab.Host) {
	t.Helper()
	awaitRunning(t, n, hosts...)
	within(t, soon, "the cluster to agree with the engines", func(ctx context.Context) error {
		tasks, err := fleet.Tasks(ctx, f.Any(), web)
		if err != nil {
			return err
		}
		running := count(tasks, "running")
		if running != n || len(tasks) != n {
			return fmt.Errorf("%d tasks, %d of them running: %s", len(tasks), running, states(tasks))
		}
		return nil
	})
}

func count(tasks []api.Task, state string) int {
	n := 0
	for _, t := range tasks {
		if t.State == state {
			n++
		}
	}
	return n
}

// states says how each task is, for messages.
func states(tasks []api.Task) string {
	var texts []string
	for _, t := range tasks {
		texts = append(texts, fmt.Sprintf("%d %s on %s (%s %s)", t.Slot, t.State, t.Node, t.Reason, t.Error))
	}
	slices.Sort(texts)
	return strings.Join(texts, "; ")
}

// nodeState waits until the hosts that are up see the node in a state.
func nodeState(t *testing.T, f *fleet.Fleet, node *lab.Host, state string) {
	t.Helper()
	within(t, soon, fmt.Sprintf("%s to be %s", node.Name, state), func(ctx context.Context) error {
		nodes, err := fleet.Nodes(ctx, f.Others(node)[0])
		if err != nil {
			return err
		}
		if nodes[node.Name].State != state {
			return fmt.Errorf("it is %q", nodes[node.Name].State)
		}
		return nil
	})
}

// requests asks hosts without a pause until the test ends or stop is called,
// which returns what failed.
func requests(t *testing.T, f *fleet.Fleet, hosts ...*lab.Host) (stop func() (asked int, failures []string)) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var mu sync.Mutex
	var asked int
	var failures []string
	var running sync.WaitGroup
	for _, h := range hosts {
		running.Go(func() {
			for ctx.Err() == nil {
				_, err := f.Ask(ctx, h, port, 2*time.Second)
				if ctx.Err() != nil {
					return
				}
				mu.Lock()
				asked++
				if err != nil {
					failures = append(failures, fmt.Sprintf("%s at %s: %v", h.Name, time.Now().Format("05.000"), err))
				}
				mu.Unlock()
				pace(ctx)
			}
		})
	}
	stop = func() (int, []string) {
		cancel()
		running.Wait()
		return asked, failures
	}
	t.Cleanup(func() { stop() })
	return stop
}

// pace keeps callers from using all of the machine.
func pace(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(10 * time.Millisecond):
	}
}

// noneFailed fails the test for every request that did.
func noneFailed(t *testing.T, stop func() (int, []string)) {
	t.Helper()
	asked, failures := stop()
	if asked < 20 {
		t.Errorf("only %d requests were made: this shows nothing", asked)
	}
	if len(failures) > 0 {
		t.Errorf("%d of %d requests failed:\n%s", len(failures), asked, strings.Join(failures, "\n"))
	}
}
