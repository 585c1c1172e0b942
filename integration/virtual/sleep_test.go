package virtual

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

// asleep stops agents, lets the time pass and starts them again. Their
// containers run on meanwhile.
func (r *ring) asleep(d time.Duration, hosts ...*host) {
	r.Helper()
	each(hosts, (*host).stop)
	r.pause(d)
	each(hosts, (*host).start)
}

// each does the same to all hosts at once.
func each(hosts []*host, do func(*host)) {
	var doing sync.WaitGroup
	for _, h := range hosts {
		doing.Go(func() { do(h) })
	}
	doing.Wait()
}

// certified reports whether the certificates of the hosts are valid for so long.
func (r *ring) certified(left time.Duration, hosts ...*host) func() string {
	return func() string {
		for _, h := range hosts {
			if got := time.Until(h.certificate().Cert.Leaf.NotAfter); got < left {
				return fmt.Sprintf("the certificate of %s ends in %s", h.name, got)
			}
		}
		return ""
	}
}

const year = 365 * 24 * time.Hour

// A cluster that slept longer than every certificate wakes up by itself.
func TestSleepLongerThanEveryCertificate(t *testing.T) {
	bubble(t, 5, func(r *ring) {
		r.form()
		r.run(service(10))
		before := started(r.hosts...)
		r.asleep(year+24*time.Hour, r.hosts...)
		if why := r.certified(0, r.hosts[:1]...)(); why == "" {
			r.Fatal("the certificates are valid: this is no test")
		}
		r.until(30*time.Second, all(r.certified(year-time.Hour, r.hosts...), r.ready(r.hosts...), r.voters(3)))
		r.until(10*time.Second, r.running(10))
		r.kept(before)
		if err := r.worker().scale(11); err != nil {
			r.Errorf("a change after the sleep: %v", err)
		}
		r.until(30*time.Second, r.running(11))
	})
}

// A host that was off while the cluster changed its authority, until nobody
// trusted the old one any more, comes back.
func TestHostIsOffWhileTheAuthorityChanges(t *testing.T) {
	for name, who := range map[string]func(*ring) *host{"follower": (*ring).follower, "worker": (*ring).worker} {
		t.Run(name, func(t *testing.T) {
			bubble(t, 4, func(r *ring) {
				r.form()
				r.run(service(4))
				sleeper := who(r)
				ca := sleeper.certificate().CAHash
				kill(sleeper)
				rest := r.others(sleeper)
				r.leader().rotate("ca")
				r.until(30*time.Second, r.sameTrust(nil, ca, rest...))
				if r.rotated() == "" {
					r.Fatal("the old authority went while a node was away")
				}
				r.asleep(8*24*time.Hour, rest...)
				r.until(time.Minute, r.rotated)
				boot(sleeper)
				r.until(time.Minute, all(r.ready(r.hosts...), func() string {
					if sleeper.certificate().CAHash == ca {
						return "the sleeper has its old certificate"
					}
					return ""
				}))
				r.until(30*time.Second, all(r.voters(3), r.running(4)))
			})
		})
	}
}
