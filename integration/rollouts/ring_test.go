//go:build linux

package rollouts

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/musterhq/muster/integration/fleet/fleettest"
	"github.com/musterhq/muster/integration/lab"
)

// hostCPUs and hostMemory are what each host offers.
const (
	hostCPUs   = 2
	hostMemory = 2 << 30
)

// ring is the cluster that all tests share.
var ring = fleettest.Ring{Hosts: 3, Options: lab.Options{Name: "rollouts", Memory: hostMemory}}

func TestMain(m *testing.M) {
	code := m.Run()
	if err := ring.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func cluster(t *testing.T) *fleettest.Cluster {
	t.Helper()
	return ring.Cluster(t)
}

// somethingToDo is the exit code of plan and rebalance --plan where there is.
const somethingToDo = 4

// ask runs a command line that shows something, and decodes what it shows.
func ask[T any](ctx context.Context, h *lab.Host, args ...string) (v T, err error) {
	r := h.CLI(ctx, append(args, "-o", "json")...)
	if r.ExitCode != 0 && r.ExitCode != somethingToDo {
		return v, fmt.Errorf("muster %s on %s: exit code %d: %s", strings.Join(args, " "), h.Name, r.ExitCode, r.Stderr)
	}
	return v, json.Unmarshal([]byte(r.Stdout), &v)
}

// see is ask where an error ends the test.
func see[T any](c *fleettest.Cluster, h *lab.Host, args ...string) T {
	c.T.Helper()
	v, err := ask[T](c.T.Context(), h, args...)
	c.Must(err)
	return v
}

// says fails the test unless a text has all of the words.
func says(c *fleettest.Cluster, text string, words ...string) {
	c.T.Helper()
	for _, word := range words {
		if !strings.Contains(text, word) {
			c.T.Errorf("it does not say %q:\n%s", word, text)
		}
	}
}
