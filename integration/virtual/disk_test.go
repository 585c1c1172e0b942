package virtual

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/consensus"
	"github.com/musterhq/muster/consensus/voters"
)

// A voter whose log is gone when its agent starts returns by itself: as a worker,
// then with a new log, then with a vote. Nothing that was acknowledged is lost.
func TestVoterWithoutItsLogReturns(t *testing.T) {
	for name, who := range map[string]func(*ring) *host{"leader": (*ring).leader, "follower": (*ring).follower} {
		t.Run(name, func(t *testing.T) {
			bubble(t, 3, func(r *ring) {
				r.form()
				r.run(service(6))
				h := who(r)
				h.killAgent()
				<-h.agent.done
				h.log.Forget()
				h.start()
				if l, err := h.local(); err != nil || l.Role != "worker" {
					t.Errorf("without its log it is a %s: %v", l.Role, err)
				}
				r.until(10*time.Second, func() string {
					if l, err := h.local(); err != nil || l.Role == "worker" {
						return fmt.Sprintf("it is a %s: %v", l.Role, err)
					}
					return ""
				})
				r.until(10*time.Second, all(r.voters(3), r.role(h, "voter", "leader"), r.ready(r.hosts...)))
				r.pause(promoted)

				// It is as good as any: with it the cluster survives the next death.
				kill(r.others(h)[0])
				r.until(20*time.Second, r.serving(6))
				r.run(service(4))
			})
		})
	}
}

// The disk hangs under the leader. With the next write its agent leaves and says
// why, and another leads; started on a disk that answers it votes again.
func TestDiskHangsUnderTheLeader(t *testing.T) {
	bubble(t, 3, func(r *ring) {
		r.form()
		r.run(service(6))
		old := r.leader()
		others := r.others(old)
		old.log.SlowDown(time.Minute)
		old.agent.killed = true // it ends with an error, as it should
		begun := time.Now()
		for others[0].scale(8) != nil {
			if time.Since(begun) > 10*time.Second {
				t.Fatal("no write is accepted")
			}
			r.pause(lookEvery)
		}
		t.Logf("a write is accepted after %s", time.Since(begun))
		<-old.agent.done
		if err := old.agent.err; !errors.Is(err, consensus.ErrStoreHung) || !strings.Contains(err.Error(), "cannot go on") {
			t.Errorf("the agent ended with: %v", err)
		}
		old.log.SlowDown(0)
		old.start()
		r.until(30*time.Second, all(r.voters(3), r.role(old, "voter", "leader"), r.running(8)))
	})
}

// The same without a write: the cluster has another leader before anybody asks.
func TestDiskHangsUnderAnIdleLeader(t *testing.T) {
	bubble(t, 3, func(r *ring) {
		r.form()
		r.run(service(6))
		r.pause(time.Minute)
		old := r.leader()
		others := r.others(old)
		old.log.SlowDown(time.Minute)
		old.agent.killed = true // it ends with an error, as it should
		<-old.agent.done
		if err := old.agent.err; !errors.Is(err, consensus.ErrStoreHung) {
			t.Errorf("the agent ended with: %v", err)
		}
		r.until(5*time.Second, func() string {
			for _, h := range others {
				if l, err := h.local(); err == nil && l.Role == "leader" {
					return ""
				}
			}
			return "nobody leads"
		})
		if err := others[0].scale(8); err != nil {
			t.Errorf("the first write: %v", err)
		}
	})
}

// A leader whose disk is slow, while another's is not, gives leadership away, once.
func TestSlowDiskDoesNotLead(t *testing.T) {
	bubble(t, 3, func(r *ring) {
		r.form()
		old := r.leader()
		for _, h := range r.hosts {
			h.log.SlowDown(time.Millisecond)
		}
		old.log.SlowDown(300 * time.Millisecond)
		writeFor := func(d time.Duration, until func() bool) {
			for begun := time.Now(); time.Since(begun) < d && !until(); r.pause(time.Second) {
				r.well().newToken(api.CreateToken{})
			}
		}
		writeFor(2*voters.LedFor, func() bool { return r.leader() != old })
		next := r.leader()
		if next == old {
			t.Fatal("the slow disk still leads")
		}
		writeFor(2*voters.LedFor, func() bool { return r.leader() != next })
		if now := r.leader(); now != next {
			t.Errorf("%s leads, after %s", now.name, next.name)
		}
	})
}

// A node that drains leads no longer, also when nobody else can have its vote.
func TestDrainedNodeDoesNotLead(t *testing.T) {
	bubble(t, 3, func(r *ring) {
		r.form()
		old := r.leader()
		r.follower().availability(old, cluster.Drained)
		r.until(10*time.Second, all(r.role(old, "voter"), r.voters(3)))
		next := r.leader()
		r.pause(time.Minute)
		if now := r.leader(); now != next {
			t.Errorf("%s leads, after %s", now.name, next.name)
		}
	})
}
