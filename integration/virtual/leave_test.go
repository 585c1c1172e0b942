package virtual

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

// A drained node's tasks go one by one, each after its successor is ready.
func TestDrain(t *testing.T) {
	for name, who := range map[string]func(*ring) *host{"leader": (*ring).leader, "follower": (*ring).follower} {
		t.Run(name, func(t *testing.T) {
			bubble(t, 3, func(r *ring) {
				r.form()
				r.run(service(9))
				h := who(r)
				r.well().availability(h, cluster.Drained)
				served := r.serving(9)
				r.until(time.Minute, func() string {
					if why := served(); why != "" {
						r.Fatalf("while the node is drained %s", why)
					}
					if n := len(h.containers()); n > 0 {
						return fmt.Sprintf("%d containers are on the drained node", n)
					}
					return ""
				})
				r.until(5*time.Second, r.running(9))
				r.leader().availability(h, cluster.Active)
				if err := r.leader().scale(12); err != nil {
					r.Error(err)
				}
				r.until(10*time.Second, r.running(12))
				if len(h.containers()) == 0 {
					r.Errorf("nothing is placed on %s although it is active again", h.name)
				}
			})
		})
	}
}

// A host that leaves takes nothing with it and leaves nothing behind.
func TestLeave(t *testing.T) {
	for name, who := range map[string]func(*ring) *host{"leader": (*ring).leader, "follower": (*ring).follower, "worker": (*ring).worker} {
		t.Run(name, func(t *testing.T) {
			bubble(t, 4, func(r *ring) {
				r.form()
				r.run(service(8))
				h := who(r)
				if err := h.leave(); err != nil {
					r.Fatalf("leave: %v", err)
				}
				r.until(0, r.wiped(h))
				rest := r.others(h)
				r.until(10*time.Second, all(r.members(rest...), r.seated(3), r.running(8)))
				r.pause(promoted)
				if err := h.join(r.leader(), r.leader().token(api.CreateToken{})); err != nil {
					r.Fatalf("join again: %v", err)
				}
				r.until(10*time.Second, all(r.members(r.hosts...), r.ready(r.hosts...), r.running(8)))
			})
		})
	}
}

// One after the other leaves, the leader always, until one is left.
func TestLeadersLeaveOneByOne(t *testing.T) {
	bubble(t, 5, func(r *ring) {
		r.form()
		r.run(service(4))
		for left := 4; left > 0; left-- {
			h := r.leader()
			if err := h.leave(); err != nil {
				r.Fatalf("%s leaves: %v", h.name, err)
			}
			r.until(0, r.wiped(h))
			r.until(20*time.Second, all(r.members(r.inside()...), r.seated(seats(left)), r.serving(4)))
			if n := len(r.inside()); n != left {
				r.Fatalf("%d hosts are in the cluster, not %d", n, left)
			}
			r.pause(promoted)
		}
		h := r.leader()
		if err := h.leave(); err != nil {
			r.Fatalf("the last one leaves: %v", err)
		}
		r.until(0, r.wiped(h))
	})
}

// A host whose cluster is gone can still leave, by force.
func TestLeaveWithoutACluster(t *testing.T) {
	bubble(t, 3, func(r *ring) {
		r.form()
		r.run(service(3))
		h := r.follower()
		kill(r.others(h)...)
		start := time.Now()
		if err := h.leave(); err == nil || time.Since(start) > time.Minute {
			r.Errorf("left without being asked to by force: %v after %s", err, time.Since(start))
		}
		if n := len(h.containers()); n != 1 {
			r.Errorf("%d containers are left after a leave that failed", n)
		}
		start = time.Now()
		if err := h.leaveByForce(); err != nil || time.Since(start) > 15*time.Second {
			r.Errorf("leave by force: %v after %s", err, time.Since(start))
		}
		r.until(0, r.wiped(h))
	})
}

// wiped reports whether nothing of a cluster is on the host.
func (r *ring) wiped(h *host) func() string {
	return func() string {
		if l, err := h.local(); err != nil || l.Role != "idle" || l.ClusterID != "" {
			return fmt.Sprintf("%s is %+v, %v", h.name, l, err)
		}
		for _, c := range h.engine.Snapshot() {
			if c.Labels[runtime.LabelCluster] != "" {
				return fmt.Sprintf("container %s (%s) is on %s", c.Name, c.Status, h.name)
			}
		}
		for _, name := range []string{"identity/identity.pem", "identity/cluster.key", "gossip.key", "members.json", "assignments.cbor", "consensus"} {
			if _, err := os.Stat(filepath.Join(h.dir, name)); err == nil {
				return fmt.Sprintf("%s is left on %s", name, h.name)
			}
		}
		return ""
	}
}

// members reports whether the cluster has these nodes and no other.
func (r *ring) members(want ...*host) func() string {
	return func() string {
		nodes, err := r.member().nodes()
		if err != nil {
			return "list the nodes: " + err.Error()
		}
		for _, h := range want {
			if _, ok := nodes[h.name]; !ok {
				return h.name + " is no node"
			}
		}
		if len(nodes) != len(want) {
			return fmt.Sprintf("%d nodes, not %d", len(nodes), len(want))
		}
		return ""
	}
}
