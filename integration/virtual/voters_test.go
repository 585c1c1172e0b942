package virtual

import (
	"fmt"
	"testing"
	"time"

	"github.com/musterhq/muster/cluster"
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

// A voter sleeps while every other voter is replaced by a node that it never
// heard of. Those whom it knows are workers now, and enough to find back.
func TestVoterSleepsThroughEverything(t *testing.T) {
	bubble(t, 6, func(r *ring) {
		old, late := r.hosts[:3], r.hosts[3:]
		token := old[0].init()
		for _, h := range old[1:] {
			if err := h.join(old[0], token); err != nil {
				r.Fatal(err)
			}
		}
		r.until(20*time.Second, all(r.ready(old...), r.seatsOf(old...)))
		r.pause(promoted)
		sleeper := old[0]
		kill(sleeper)
		r.until(20*time.Second, r.state("down", sleeper))
		for _, h := range late {
			if err := h.join(old[1], token); err != nil {
				r.Fatal(err)
			}
		}
		r.until(time.Minute, r.seated(3))
		for _, h := range old[1:] {
			r.leader().availability(h, cluster.Drained)
			r.until(30*time.Second, all(r.role(h, "worker"), r.seated(3)))
			r.pause(promoted)
		}
		for _, h := range old[1:] {
			r.leader().availability(h, cluster.Active)
		}
		r.until(5*time.Second, r.seatsOf(late...))
		boot(sleeper)
		r.until(30*time.Second, all(r.ready(r.hosts...), r.seatsOf(late...)))
		r.run(service(12))
		if n := len(sleeper.containers()); n != 2 {
			r.Errorf("the host that slept runs %d tasks, not 2", n)
		}
	})
}

// seatsOf reports whether these hosts vote, as they themselves say, and no other.
func (r *ring) seatsOf(want ...*host) func() string {
	return func() string {
		if why := r.voters(len(want))(); why != "" {
			return why
		}
		for _, h := range want {
			if why := r.role(h, "voter", "leader")(); why != "" {
				return why
			}
		}
		return ""
	}
}
