//go:build linux

package lifecycle

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/integration/fleet"
	"github.com/musterhq/muster/integration/fleet/fleettest"
	"github.com/musterhq/muster/integration/lab"
)

// TestRollingUpgrade gives one host after the other the new release, under
// requests through all of them: none fails, no container moves or restarts, no
// node is called down, and what is new is refused, with the name of an older voter, until the
// last is upgraded. Once it was used, the older release refuses to start, and
// leaves everything as it is.
func TestRollingUpgrade(t *testing.T) {
	c := fleettest.Alone(t, "upgrade", 3)
	older := filepath.Join(t.TempDir(), "muster")
	c.Must(fleet.BuildOlder(t.Context(), older))
	c.Agent = older
	c.Must(c.StartAgents(t.Context(), c.Hosts...))
	c.Must(c.Form(t.Context()))
	before := c.Lives(c.DeployWeb(6))
	c.Must(c.AwaitAnswers(t.Context(), fleettest.Port, c.Hosts...))

	c.Agent = ""
	for i, h := range c.Hosts {
		inTheWay(c, c.Hosts[i:])
		requests := c.Requests(c.Hosts...)
		c.Must(h.StopAgent(t.Context()))
		c.Must(c.StartAgents(t.Context(), h))
		isKnown(c, h)
		carries(c, h)
		c.Must(c.AwaitReady(t.Context(), c.Hosts...))
		requests.NoneFailed()
		c.SameLives(before, c.Hosts...)
		c.Run(h, "scale", fmt.Sprintf("%s=%d", fleettest.Web, 6)) // old and new agree on what is there
		t.Logf("%d of %d hosts are upgraded", i+1, len(c.Hosts))
	}
	c.Run(c.Hosts[0], "key", "rotate") // waits until every node has followed
	c.Settled(6, c.Hosts...)
	c.SameLives(before, c.Hosts...)
	downgrade(c, c.FindFollower(), older)
	c.Settled(6, c.Hosts...)
	c.SameLives(before, c.Hosts...)

	events, err := fleet.Events(t.Context(), c.Hosts[0], 0)
	c.Must(err)
	for _, e := range events {
		if e.Type == "node" && e.Action == "down" {
			t.Errorf("%s was called down: %s", e.Name, e.Message)
		}
	}
}

// isKnown waits until the cluster has taken in which release a host runs.
func isKnown(c *fleettest.Cluster, h *lab.Host) {
	c.T.Helper()
	want := strings.TrimSpace(c.Run(h, "version", "-q"))
	c.Within(fleettest.Soon, h.Name+" to be known to run "+want, func(ctx context.Context) error {
		var n api.NodeDetail
		r := c.Others(h)[0].CLI(ctx, "node", "inspect", h.Name, "-o", "json")
		if err := json.Unmarshal([]byte(r.Stdout), &n); err != nil {
			return fmt.Errorf("%w: %s", err, r.Stderr)
		}
		if n.Version != want {
			return fmt.Errorf("it is said to run %q", n.Version)
		}
		return nil
	})
}

// carries waits until a host's traffic goes through a process of the release that
// its agent runs.
func carries(c *fleettest.Cluster, h *lab.Host) {
	c.T.Helper()
	want := `msg="data plane is up" part=traffic version=` + strings.TrimSpace(c.Run(h, "version", "-q"))
	c.Within(fleettest.Soon, "the data plane of "+h.Name+" to be replaced", func(context.Context) error {
		if log := h.LogTail("agent", 64<<10); !strings.Contains(log, want) {
			return fmt.Errorf("its log does not say %q", want)
		}
		return nil
	})
}

// inTheWay has what is new refused, with the name of one of the hosts that run
// the older release.
func inTheWay(c *fleettest.Cluster, older []*lab.Host) {
	c.T.Helper()
	said := c.Refused(c.Hosts[2], 1, []string{"upgrade it first"}, "rollback", fleettest.Web)
	for _, h := range older {
		if strings.Contains(said, "node "+h.Name+" runs muster older") {
			return
		}
	}
	c.T.Errorf("the refusal names none of %s: %s", strings.Join(names(older), ", "), said)
}

// downgrade tries to go back on a host, which has to be refused.
func downgrade(c *fleettest.Cluster, h *lab.Host, older string) {
	c.T.Helper()
	version := strings.TrimSpace(c.Run(h, "version", "-q"))
	c.Must(h.StopAgent(c.T.Context()))
	left := digests(c, h.DataDir)
	c.Agent = older
	err := c.StartAgents(c.T.Context(), h)
	c.Agent = ""
	if err == nil {
		c.T.Fatalf("the older release has started on the data of the newer one")
	}
	for _, word := range []string{"this is muster older", "nothing was changed", "run muster " + version, "muster node rm"} {
		if !strings.Contains(err.Error(), word) {
			c.T.Errorf("the refusal does not say %q: %v", word, err)
		}
	}
	if diff := cmp.Diff(left, digests(c, h.DataDir)); diff != "" {
		c.T.Errorf("the refused agent has touched its data (-before +after):\n%s", diff)
	}
	c.Must(c.StartAgents(c.T.Context(), h))
	c.Must(c.AwaitReady(c.T.Context(), c.Hosts...))
	c.Must(c.AwaitAnswers(c.T.Context(), fleettest.Port, c.Hosts...))
}

// digests are of the files below a directory, by path.
func digests(c *fleettest.Cluster, dir string) map[string]string {
	c.T.Helper()
	found := make(map[string]string)
	c.Must(filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		found[path] = fmt.Sprintf("%x", sha256.Sum256(b))
		return err
	}))
	return found
}
