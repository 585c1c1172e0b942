package virtual

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/security"
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

// Certificates are renewed before they end while the cluster runs, and nobody
// notices: nobody joins again, no node falls silent, no stream breaks.
func TestCertificatesAreRenewedWhileRunning(t *testing.T) {
	const life = 30 * time.Minute
	bubble(t, 4, func(r *ring) {
		each(r.hosts, func(h *host) {
			h.stop()
			h.certLife = life
			h.start()
		})
		r.form()
		r.run(service(8))
		before, first := started(r.hosts...), map[*host]*security.Identity{}
		for _, h := range r.hosts {
			first[h] = h.certificate()
		}
		since, err := get[api.Status](r.leader(), "/v1/status")
		if err != nil {
			r.Fatal(err)
		}
		reader := r.worker().steal() // somebody who follows feeds all along, as the node itself does
		var broken []func() bool
		for _, of := range []*host{r.leader(), r.follower()} {
			stream, err := reader.pool.Stream(reader.ctx, of.id(), http.MethodGet, "/v1/node/feed", nil)
			if err != nil {
				r.Fatal(err)
			}
			broken = append(broken, watchEnd(stream))
		}
		r.pause(life / 2)
		r.until(life/4, r.certified(3*life/4, r.hosts...))
		r.until(0, all(r.ready(r.hosts...), r.running(8), r.voters(3)))
		r.kept(before)
		for i, ended := range broken {
			if ended() {
				r.Errorf("stream %d, open since before the renewal, broke", i+1)
			}
		}
		for _, h := range r.hosts {
			now := h.certificate()
			if now.PublicKeyHash() != first[h].PublicKeyHash() || now.CAHash != first[h].CAHash || now.NodeID != first[h].NodeID {
				r.Errorf("%s has another key, authority or ID", h.name)
			}
		}
		now, err := get[api.Status](r.leader(), "/v1/status")
		if err != nil || now.Leader != since.Leader {
			r.Errorf("another node leads: %+v, %v", now, err)
		}
		for _, e := range reader.nodeEvents(r.leader()) {
			if e.Action == "away" || e.Action == "down" || e.Action == "removed" {
				r.Errorf("node %s was %s: %s", e.Node, e.Action, e.Message)
			}
		}
		r.always(life/2, r.ready(r.hosts...)) // and the first ones are over
	})
}

// nodeEvents are what happened to nodes, as a host tells it.
func (t *thief) nodeEvents(h *host) []api.Event {
	t.r.Helper()
	body, err := t.pool.Stream(t.ctx, h.id(), http.MethodGet, "/v1/events?type=node&tail=1000", nil)
	if err != nil {
		t.r.Fatal(err)
	}
	defer func() { _ = body.Close() }()
	var out []api.Event
	for dec := json.NewDecoder(body); ; {
		var e api.Event
		if err := dec.Decode(&e); err != nil {
			return out
		}
		out = append(out, e)
	}
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
