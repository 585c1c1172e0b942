package virtual

import (
	"fmt"
	"testing"
	"time"
)

// A voter that is lost for half a minute is replaced by a worker; when it comes
// back it is a worker itself.
func TestLostVoterIsReplaced(t *testing.T) {
	for name, who := range map[string]func(*ring) *host{"leader": (*ring).leader, "follower": (*ring).follower} {
		t.Run(name, func(t *testing.T) {
			bubble(t, 5, func(r *ring) {
				r.form()
				r.run(service(10))
				dead := who(r)
				kill(dead)
				r.pause(28 * time.Second)
				if l := r.leader(); l == dead || r.role(dead, "voter", "leader")() != "" {
					r.Errorf("the dead voter has lost its seat before its time: %s", r.role(dead, "voter")())
				}
				r.until(15*time.Second, all(r.role(dead, "worker"), r.voters(3)))
				boot(dead)
				r.until(30*time.Second, all(r.ready(r.hosts...), r.role(dead, "worker"), r.voters(3), r.running(10)))
				r.pause(time.Minute)
				r.until(0, all(r.role(dead, "worker"), r.voters(3)))
			})
		})
	}
}

// With three voters of four nodes, three voters are lost one after the other:
// as long as each is replaced before the next goes, the cluster lives on.
func TestVotersAreLostOneByOne(t *testing.T) {
	bubble(t, 5, func(r *ring) {
		r.form()
		r.run(service(8))
		for i := range 2 {
			kill(r.leader())
			r.until(50*time.Second, all(r.seated(3), r.running(8)))
			r.pause(promoted)
			r.Logf("after %d deaths: %s", i+1, names(r.up()))
		}
		// Two of three are left after the next; nobody can take the third seat.
		kill(r.follower())
		r.until(10*time.Second, r.serving(8))
		r.pause(time.Minute)
		r.until(0, r.running(8))
	})
}

// Seven nodes have five voters; as nodes leave, there are fewer.
func TestVotersFollowTheNumberOfNodes(t *testing.T) {
	bubble(t, 7, func(r *ring) {
		r.form()
		r.until(0, r.voters(5))
		gone := 0
		for _, h := range r.hosts[:5] {
			if err := h.leave(); err != nil {
				r.Fatalf("%s leaves: %v", h.name, err)
			}
			gone++
			left := len(r.hosts) - gone
			r.until(30*time.Second, func() string {
				nodes, err := r.member().nodes()
				if err != nil || len(nodes) != left {
					return fmt.Sprintf("nodes %v, not %d: %v", nodes, left, err)
				}
				return r.seated(seats(left))()
			})
			r.pause(promoted)
		}
	})
}
