package virtual

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/musterhq/muster/agent/peer"
	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/security"
)

// A node that was removed is refused, moves nothing, finds out by itself and
// takes down what it ran.
func TestRemovedNodeIsRefused(t *testing.T) {
	for name, who := range map[string]func(*ring) *host{"follower": (*ring).follower, "worker": (*ring).worker} {
		t.Run(name, func(t *testing.T) {
			bubble(t, 5, func(r *ring) {
				r.form()
				r.run(service(10))
				h, leader := who(r), r.leader()
				leader.remove(h)
				if err := h.scale(11); err == nil {
					r.Error("a change through the removed node was taken")
				}
				rest := r.others(h)
				r.until(20*time.Second, all(r.members(rest...), r.serving(10, rest...), r.seated(3)))
				r.until(30*time.Second, all(r.running(10), r.wiped(h)))
				if err := h.join(leader, leader.token(api.CreateToken{})); err != nil {
					r.Errorf("join again: %v", err)
				}
				r.until(10*time.Second, r.ready(r.hosts...))
			})
		})
	}
}

// Whoever has stolen a node's key is locked out with the node, on every other
// node and on what was open.
func TestStolenIdentity(t *testing.T) {
	bubble(t, 5, func(r *ring) {
		r.form()
		robbed, leader := r.follower(), r.leader()
		thief := robbed.steal()
		rest := r.others(robbed)
		var open []io.Reader
		for _, h := range rest {
			if err := thief.call(h); err != nil {
				r.Fatalf("the identity does not work on %s: %v", h.name, err)
			}
			events, err := thief.pool.Stream(thief.ctx, h.id(), http.MethodGet, "/v1/events?follow=1", nil)
			if err != nil {
				r.Fatalf("events of %s: %v", h.name, err)
			}
			open = append(open, events)
			if r.role(h, "voter", "leader")() != "" {
				continue
			}
			feed, err := thief.pool.Stream(thief.ctx, h.id(), http.MethodGet, "/v1/node/feed", nil)
			if err != nil {
				r.Fatalf("feed of %s: %v", h.name, err)
			}
			open = append(open, feed, thief.raft(h))
		}
		kill(robbed) // else it would be expelled, and the thief's calls would be its own
		leader.remove(robbed)
		r.until(time.Second, func() string {
			for _, h := range rest {
				if err := thief.call(h); code(err) != string(api.CodeRemoved) {
					return fmt.Sprintf("%s answers the thief: %v", h.name, err)
				}
			}
			return ""
		})
		for _, h := range rest {
			if ended(thief.raft(h), 6*time.Second) == nil {
				r.Errorf("%s takes a new raft stream", h.name)
			}
		}
		for i, s := range open {
			if ended(s, 2*time.Second) == nil {
				r.Errorf("stream %d of %d, opened before, is still read", i+1, len(open))
			}
		}
	})
}

// thief has a node's identity and a host of its own.
type thief struct {
	ctx  context.Context
	r    *ring
	pool *peer.Pool
}

// steal copies the host's identity to an eleventh host.
func (h *host) steal() *thief {
	h.r.Helper()
	id, err := security.LoadIdentity(filepath.Join(h.dir, "identity"))
	if err != nil {
		h.r.Fatal(err)
	}
	den := h.r.net.Host("10.0.0.66").Process()
	t := &thief{ctx: h.r.Context(), r: h.r, pool: peer.New(func() *security.Identity { return id }, security.VerifyOptions{}, h.r, den.Dial)}
	h.r.Cleanup(den.Kill)
	return t
}

// Addresses makes the ring the thief's directory.
func (r *ring) Addresses(id cluster.NodeID) []string {
	for _, h := range r.up() {
		if h.id() == id {
			return []string{net.JoinHostPort(h.ip, "7070")}
		}
	}
	return nil
}

// call asks what any member may ask.
func (t *thief) call(h *host) error {
	return t.pool.Call(t.ctx, h.id(), http.MethodGet, "/v1/node/images", nil, nil)
}

// raft opens a raft stream.
func (t *thief) raft(h *host) net.Conn {
	t.r.Helper()
	conn, err := t.pool.DialTLS(t.ctx, h.id(), security.ALPNRaft)
	if err != nil {
		t.r.Fatalf("dial %s for raft: %v", h.name, err)
	}
	return conn
}

// ended waits for the end of a stream; nil when it goes on.
func ended(s io.Reader, limit time.Duration) error {
	end := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, s)
		end <- fmt.Errorf("ended: %w", errOr(err))
	}()
	select {
	case err := <-end:
		return err
	case <-time.After(limit):
		return nil
	}
}

func errOr(err error) error {
	if err == nil {
		return io.EOF
	}
	return err
}
