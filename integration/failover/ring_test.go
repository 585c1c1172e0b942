//go:build linux

package failover

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/musterhq/muster/integration/fleet"
	"github.com/musterhq/muster/integration/lab"
)

// ring is the cluster that tests share, nil until the first test needs it, and
// binDir the directory of the binary that it runs.
var (
	ring   *fleet.Fleet
	binDir string
)

func TestMain(m *testing.M) {
	code := m.Run()
	if ring != nil {
		if err := ring.Lab.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	if binDir != "" {
		_ = os.RemoveAll(binDir)
	}
	os.Exit(code)
}

// cluster returns three hosts with a healthy cluster and nothing deployed,
// whatever the test before has left.
func cluster(t *testing.T) *fleet.Fleet {
	t.Helper()
	if testing.Short() {
		t.Skip("tests on Docker hosts are left out of -short runs")
	}
	if err := lab.Available(); err != nil {
		t.Skip(err)
	}
	if ring == nil {
		ring = makeRing(t)
	}
	repair(t, ring)
	t.Cleanup(func() {
		if t.Failed() {
			tellAll(t, ring)
		}
	})
	return ring
}

func makeRing(t *testing.T) *fleet.Fleet {
	t.Helper()
	if binDir == "" {
		dir, err := os.MkdirTemp("", "muster-failover-") //nolint:usetesting // it outlives the test that makes the ring
		must(t, err)
		binDir = dir
	}
	binary := filepath.Join(binDir, "muster")
	must(t, fleet.Build(t.Context(), binary))
	l, err := lab.New(t.Context(), lab.Options{Name: "failover", Binary: binary})
	must(t, err)
	f, err := fleet.New(t.Context(), l, 3)
	if err == nil {
		err = f.Form(t.Context())
	}
	if err != nil {
		_ = l.Close()
		t.Fatal(err)
	}
	return f
}

// repair gives every host power, link, agent and work, and removes every stack.
func repair(t *testing.T, f *fleet.Fleet) {
	t.Helper()
	ctx := t.Context()
	for _, h := range f.Hosts {
		if !h.Up() {
			must(t, h.Boot(ctx))
		}
		must(t, h.Heal(ctx))
		if h.AgentPID() == 0 {
			must(t, f.StartAgents(ctx, h))
		}
	}
	must(t, f.AwaitReady(ctx, f.Hosts...))
	nodes, err := fleet.Nodes(ctx, f.Hosts[0])
	must(t, err)
	for name, n := range nodes {
		if n.Availability != "active" {
			run(t, f.Hosts[0], "node", "uncordon", name)
		}
	}
	for _, stack := range stacks(t, f) {
		run(t, f.Hosts[0], "rm", "-y", stack)
	}
	_, err = fleet.AwaitRunning(ctx, "", 0, f.Hosts...)
	must(t, err)
}

func stacks(t *testing.T, f *fleet.Fleet) []string {
	t.Helper()
	var stacks []string
	for name := range strings.FieldsSeq(run(t, f.Hosts[0], "ls", "-q")) {
		stack, _, _ := strings.Cut(name, "/")
		if len(stacks) == 0 || stacks[len(stacks)-1] != stack {
			stacks = append(stacks, stack)
		}
	}
	return stacks
}

// tellAll adds to a failure what each host knows.
func tellAll(t *testing.T, f *fleet.Fleet) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for _, h := range f.Up() {
		r := h.CLI(ctx, "ps", "-a", "-o", "wide")
		t.Logf("--- %s: ps -a\n%s%s", h.Name, r.Stdout, r.Stderr)
	}
	for _, h := range f.Hosts {
		t.Logf("--- %s: log of the agent\n%s", h.Name, h.LogTail("agent", 6<<10))
	}
}

// must ends the test on an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// run runs a command line that must succeed.
func run(t *testing.T, h *lab.Host, args ...string) string {
	t.Helper()
	begun := time.Now()
	out, err := fleet.Run(t.Context(), h, args...)
	t.Logf("%s$ muster %s    # %.1f s", h.Name, strings.Join(args, " "), time.Since(begun).Seconds())
	must(t, err)
	return out
}

// refused runs a command line that must fail with the exit code, and say all of
// words.
func refused(t *testing.T, h *lab.Host, code int, words []string, args ...string) {
	t.Helper()
	r := h.CLI(t.Context(), args...)
	if r.ExitCode != code {
		t.Errorf("muster %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), r.ExitCode, code, r.Stdout, r.Stderr)
	}
	for _, word := range words {
		if !strings.Contains(r.Stderr, word) {
			t.Errorf("muster %s does not say %q:\n%s", strings.Join(args, " "), word, r.Stderr)
		}
	}
}

// within waits until holds returns nil.
func within(t *testing.T, limit time.Duration, what string, holds func(context.Context) error) {
	t.Helper()
	must(t, fleet.Within(t.Context(), limit, what, holds))
}

// file writes a Compose file and returns its path.
func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "compose.yaml")
	must(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}
