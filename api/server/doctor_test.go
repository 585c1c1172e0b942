package server

import (
	"context"
	"net/http"
	"slices"
	"testing"

	"github.com/musterhq/muster/api"
)

// triedNode reaches all but one of the others.
type triedNode struct {
	quietNode
	ring    *ring
	blocked string
}

func (n triedNode) Reach(_ context.Context, targets []api.Target) []api.Way {
	var out []api.Way
	for _, t := range targets {
		for _, h := range n.ring.hosts {
			if h.id != t.ID {
				continue
			}
			w := api.Way{To: h.id, ToName: h.name, API: "ok", GossipTCP: "ok", GossipUDP: "ok"}
			if h.name == n.blocked {
				w.GossipUDP = "no answer"
			}
			out = append(out, w)
		}
	}
	return out
}

func TestDoctorAsksEveryNode(t *testing.T) {
	r := newRing(t, nil, "a", "b", "w", "x")
	for _, h := range r.hosts {
		n := triedNode{ring: r}
		if h.name == "b" {
			n.blocked = "w"
		}
		h.backend.Local = n
	}
	r.host("x").stop()
	for _, asked := range []string{"a", "w"} {
		found, err := r.host(asked).client.Doctor(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var failed []string
		for _, f := range found {
			if f.Status == api.CheckFail {
				failed = append(failed, f.Node+" "+f.Name)
			}
		}
		if want := []string{"b gossip-udp", "x agent"}; !slices.Equal(failed, want) {
			t.Errorf("asked %s: %q failed, want %q", asked, failed, want)
		}
	}
}

// TestReachDialsMembersOnly: nobody makes a port scanner of a node.
func TestReachDialsMembersOnly(t *testing.T) {
	r := newRing(t, nil, "a", "b")
	a, b := r.host("a"), r.host("b")
	b.backend.Local = triedNode{ring: r}
	for name, c := range map[string]struct {
		targets []api.Target
		want    api.Code
	}{
		"a member":       {[]api.Target{{ID: a.id, SamplePort: 40000}}, ""},
		"a stranger":     {[]api.Target{{ID: "nobody"}}, api.CodeNotFound},
		"a service port": {[]api.Target{{ID: a.id, SamplePort: 22}}, api.CodeInvalid},
		"too many":       {make([]api.Target, maxTargets+1), api.CodeInvalid},
	} {
		wantCode(t, name, a.call(b, http.MethodPost, "/v1/node/reach", api.Reach{Targets: c.targets}, nil), c.want)
	}
}

func TestEchoIsBounded(t *testing.T) {
	r := newRing(t, nil, "a", "b")
	a, b := r.host("a"), r.host("b")
	var out api.Echo
	wantCode(t, "a small one", a.call(b, http.MethodPost, "/v1/node/echo", api.Echo{Pad: make([]byte, maxEcho)}, &out), "")
	if len(out.Pad) != maxEcho || out.At.IsZero() {
		t.Errorf("%d bytes came back at %s", len(out.Pad), out.At)
	}
	wantCode(t, "a large one", a.call(b, http.MethodPost, "/v1/node/echo", api.Echo{Pad: make([]byte, 2*maxEcho)}, nil), api.CodeTooLarge)
}
