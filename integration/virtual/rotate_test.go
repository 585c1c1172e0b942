package virtual

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/security"
)

// rotate begins a rotation: of the "ca" or of the gossip "key".
func (h *host) rotate(what string) {
	h.r.Helper()
	if _, err := send[api.TrustStatus](h, http.MethodPost, "/v1/"+what+"/rotate", nil); err != nil {
		h.r.Fatalf("rotate the %s: %v", what, err)
	}
}

// gossipKey is what the host has on disk of the gossip ring's keys.
func (h *host) gossipKey() []byte {
	h.r.Helper()
	key, err := os.ReadFile(filepath.Join(h.dir, "gossip.key"))
	if err != nil {
		h.r.Fatal(err)
	}
	return key
}

// certificate is the identity that the host has on disk.
func (h *host) certificate() *security.Identity {
	h.r.Helper()
	id, err := security.LoadIdentity(filepath.Join(h.dir, "identity"))
	if err != nil {
		h.r.Fatal(err)
	}
	return id
}

// rotated reports whether no rotation is under way.
func (r *ring) rotated() string {
	t, err := get[api.TrustStatus](r.well(), "/v1/trust")
	if err != nil {
		return "ask for the keys: " + err.Error()
	}
	if len(t.Authorities) != 1 || len(t.GossipKeys) != 1 {
		return fmt.Sprintf("a rotation goes on: %+v", t)
	}
	return ""
}

// sameTrust reports whether the hosts hold the same one gossip key and trust the
// same one authority, neither of them the old one.
func (r *ring) sameTrust(oldKey []byte, oldCA string, hosts ...*host) func() string {
	return func() string {
		first := hosts[0]
		for _, h := range hosts {
			switch {
			case bytes.Equal(h.gossipKey(), oldKey) || !bytes.Equal(h.gossipKey(), first.gossipKey()) || len(h.gossipKey()) != security.GossipKeyLen:
				return fmt.Sprintf("%s holds %d bytes of other gossip keys", h.name, len(h.gossipKey()))
			case h.certificate().CAHash == oldCA || h.certificate().CAHash != first.certificate().CAHash:
				return fmt.Sprintf("%s has a certificate of authority %s", h.name, h.certificate().CAHash)
			case !bytes.Equal(h.certificate().CAPEM(), first.certificate().CAPEM()):
				return h.name + " trusts other authorities"
			}
		}
		return ""
	}
}

// Keys and authority change under a running cluster, on command, and nobody
// notices: no node is suspected, no container is touched, no stream breaks.
func TestRotationUnderLoad(t *testing.T) {
	bubble(t, 5, func(r *ring) {
		r.form()
		r.run(service(10))
		before, key, ca := started(r.hosts...), r.host(1).gossipKey(), r.host(1).certificate().CAHash
		feed := r.worker().steal() // somebody who follows a feed all along
		stream, err := feed.pool.Stream(feed.ctx, r.follower().id(), http.MethodGet, "/v1/node/feed", nil)
		if err != nil {
			r.Fatal(err)
		}
		broken := watchEnd(stream)
		r.worker().rotate("key")
		r.follower().rotate("ca")
		quiet := all(r.never("suspect", r.hosts...), r.never("away", r.hosts...), r.never("down", r.hosts...))
		r.until(15*time.Second, all(quiet, r.rotated))
		r.until(2*time.Second, r.sameTrust(key, ca, r.hosts...))
		r.always(time.Minute, all(quiet, r.running(10)))
		r.kept(before)
		if broken() {
			r.Error("a stream that was open before broke")
		}
	})
}

// A node that goes takes a gossip key along that is good for nothing a moment
// later, without anybody's doing, also when it goes in the middle of a rotation;
// the others do not lose each other meanwhile.
func TestGossipKeyChangesWhenANodeGoes(t *testing.T) {
	for name, goes := range map[string]func(r *ring, h *host){
		"removed": func(r *ring, h *host) {
			kill(h)
			r.leader().remove(h)
		},
		"left": func(r *ring, h *host) {
			if err := h.leave(); err != nil {
				r.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, 5, func(r *ring) {
				r.form()
				r.run(service(10))
				for _, h := range []*host{r.worker(), r.follower()} {
					rest := r.others(h)
					rest = slices.DeleteFunc(rest, func(h *host) bool { return !slices.Contains(r.inside(), h) })
					r.leader().rotate("key")
					r.pause(time.Second)
					known, ca := h.gossipKey(), r.leader().certificate().CAHash
					goes(r, h)
					knows := func() string {
						for _, other := range rest {
							for key := range slices.Chunk(known, security.GossipKeyLen) {
								if bytes.Contains(other.gossipKey(), key) {
									return other.name + " takes gossip under a key that " + h.name + " knows"
								}
							}
						}
						return ""
					}
					r.until(30*time.Second, all(knows, r.rotated))
					r.pause(2 * time.Second) // nodes hear of the last step with a heartbeat
					r.until(5*time.Second, all(knows, r.ready(rest...), func() string {
						for _, other := range rest {
							if other.certificate().CAHash != ca {
								return other.name + " has another authority"
							}
						}
						return ""
					}))
					r.always(time.Minute, all(r.never("suspect", rest...), r.never("down", rest...)))
				}
			})
		})
	}
}

// A change of leader in the middle does not end a rotation, and nodes that are
// away get everything when they are back.
func TestRotationSurvivesItsLeader(t *testing.T) {
	for _, what := range []string{"key", "ca"} {
		t.Run(what, func(t *testing.T) {
			bubble(t, 5, func(r *ring) {
				r.form()
				r.run(service(10))
				leader, away := r.leader(), r.worker()
				key, ca := away.gossipKey(), away.certificate().CAHash
				away.stop()
				leader.rotate(what)
				kill(leader)
				r.until(20*time.Second, func() string {
					t, err := get[api.TrustStatus](r.well(), "/v1/trust")
					if err != nil || t.Version < 2 {
						return fmt.Sprintf("%+v, %v", t, err)
					}
					return ""
				})
				away.start()
				boot(leader)
				r.until(time.Minute, all(r.rotated, r.ready(r.hosts...)))
				r.pause(2 * time.Second) // nodes hear of the last step with a heartbeat
				want := r.sameTrust(key, "", r.hosts...)
				if what == "ca" {
					want = r.sameTrust(nil, ca, r.hosts...)
				}
				r.until(5*time.Second, want)
				r.always(time.Minute, all(want, r.ready(r.hosts...)))
			})
		})
	}
}

// watchEnd reports, whenever it is asked, whether the stream has ended.
func watchEnd(s interface{ Read([]byte) (int, error) }) func() bool {
	end := make(chan struct{})
	go func() {
		defer close(end)
		for b := make([]byte, 4096); ; {
			if _, err := s.Read(b); err != nil {
				return
			}
		}
	}()
	return func() bool {
		select {
		case <-end:
			return true
		default:
			return false
		}
	}
}
