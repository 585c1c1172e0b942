package virtual

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/musterhq/muster/agent"
	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster/state"
)

// older makes the host's next agent one of the release before.
func (h *host) older() *host {
	h.version, h.commands = "old", state.Version-1
	return h
}

// upgrade stops the agent as the package manager does and starts this release's.
func (h *host) upgrade() {
	h.r.Helper()
	h.stop()
	h.version, h.commands = "new", 0
	h.start()
}

// mixed runs a scenario on n hosts with agents of the release before.
func mixed(t *testing.T, n int, scenario func(r *ring)) {
	bubble(t, 0, func(r *ring) {
		for i := 1; i <= n; i++ {
			r.add(i).older().start()
		}
		scenario(r)
	})
}

// One host after the other gets the new release while users change things
// through old and new agents. No container restarts, no node is called down.
func TestRollingUpgrade(t *testing.T) {
	mixed(t, 4, func(r *ring) {
		r.form()
		r.run(service(8))
		before := started(r.hosts...)
		down := r.watchForDown()
		for i, h := range r.hosts {
			h.upgrade()
			r.until(30*time.Second, all(r.ready(r.hosts...), r.knows(h, "new")))
			for j, through := range r.hosts { // old and new, leader, voters and worker
				r.retry(10*time.Second, func() error { return through.scale(8 + (i+j)%2) })
			}
			r.retry(10*time.Second, func() error { return h.scale(8) })
			r.until(30*time.Second, all(r.running(8), r.voters(3)))
		}
		if list := down(); len(list) > 0 {
			r.Errorf("called down: %v", list)
		}
		r.kept(before)
	})
}

// Going back is possible as long as nothing new was used.
func TestUpgradeIsTakenBack(t *testing.T) {
	mixed(t, 3, func(r *ring) {
		r.form()
		r.run(service(6))
		before := started(r.hosts...)
		h := r.follower()
		h.upgrade()
		r.until(30*time.Second, all(r.ready(r.hosts...), r.knows(h, "new")))
		h.stop()
		h.older().start()
		r.until(30*time.Second, all(r.ready(r.hosts...), r.knows(h, "old"), r.voters(3), r.running(6)))
		r.kept(before)
	})
}

// An older host may join, run tasks and see everything; it votes when the log
// holds nothing that it does not know.
func TestOlderHostJoinsAnUpgradedCluster(t *testing.T) {
	bubble(t, 2, func(r *ring) {
		old := r.add(3).older()
		old.start()
		r.form()
		r.run(service(6))
		r.until(10*time.Second, r.knows(old, "old"))
		if len(old.containers()) != 2 {
			r.Errorf("it runs %d tasks, not 2", len(old.containers()))
		}
		if err := old.scale(3); err != nil {
			r.Errorf("a change through it: %v", err)
		}
		r.until(10*time.Second, r.running(3))
	})
}

// An agent that finds its data directory beyond it leaves everything as it is.
func TestDowngradeIsRefused(t *testing.T) {
	bubble(t, 1, func(r *ring) {
		h := r.host(1)
		h.init()
		h.stop()
		path := filepath.Join(h.dir, "format")
		left, err := os.ReadFile(path)
		if err != nil {
			r.Fatal(err)
		}
		newer := fmt.Sprintf(`{"format":1,"commands":%d,"muster":"newer"}`, state.Version+1)
		if err := os.WriteFile(path, []byte(newer), 0o600); err != nil {
			r.Fatal(err)
		}
		machine := agent.Host{Engine: h.engine, Stats: stats{}, Listen: h.box.Process().Listen, Log: h.log}
		err = agent.RunOn(r.Context(), machine, h.config(), "test", r.logger(h.name))
		if err == nil || !strings.Contains(err.Error(), "muster newer left it") || !strings.Contains(err.Error(), "nothing was changed") {
			r.Errorf("it ended with %v", err)
		}
		if err := os.WriteFile(path, left, 0o600); err != nil {
			r.Fatal(err)
		}
		h.start()
		r.until(15*time.Second, r.ready(h))
	})
}

// watchForDown notes every node that is called down until it is asked.
func (r *ring) watchForDown() (stop func() map[string]bool) {
	down := map[string]bool{}
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			for _, h := range r.leaders(r.up()...) {
				nodes, _ := h.nodes() // one that stops meanwhile says nothing
				for name, n := range nodes {
					if n.State == "down" {
						down[name] = true
					}
				}
			}
			select {
			case <-over:
				return
			case <-time.After(lookEvery):
			}
		}
	}()
	return func() map[string]bool {
		close(over)
		<-ended
		return down
	}
}

// knows reports whether the cluster has taken in what the host's agent is.
func (r *ring) knows(h *host, version string) func() string {
	return func() string {
		n, err := get[api.NodeDetail](r.well(), "/v1/nodes/"+h.name)
		if err != nil {
			return "look at " + h.name + ": " + err.Error()
		}
		if n.Version != version {
			return fmt.Sprintf("%s is said to run %q, not %q", h.name, n.Version, version)
		}
		return ""
	}
}
