package server

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/security"
)

// Every node passes a write on to the leader.
func TestWritesReachTheLeader(t *testing.T) {
	r := newRing(t, nil, "n1", "n2", "w3")
	for i, through := range []string{"n1", "n2", "w3"} {
		label := api.SetLabels{Set: map[string]string{"through": through}}
		wantCode(t, through, r.host(through).try(http.MethodPost, "/v1/nodes/n1/labels", label, nil), "")
		if n, _ := r.view().Node(r.host("n1").id); n.Labels["through"] != through {
			t.Errorf("call %d through %s did not reach the state", i, through)
		}
	}
}

// hop calls a host as a node would that passes a call on for the nth time.
func (h *host) hop(by *host, n int, method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set(hopsHeader, fmt.Sprint(n))
	w := httptest.NewRecorder()
	h.server.mux(func(*http.Request) security.Caller {
		return security.Caller{NodeID: string(by.id), PublicKeyHash: by.ident.PublicKeyHash()}
	}).ServeHTTP(w, r)
	return w
}

// Nodes that disagree about who leads do not send a call round in circles.
func TestHopsAreLimited(t *testing.T) {
	r := newRing(t, nil, "n1", "n2", "n3")
	n1, n2, n3 := r.host("n1"), r.host("n2"), r.host("n3")
	next := map[*host]cluster.NodeID{n1: n2.id, n2: n3.id, n3: n1.id}
	r.mu.Lock()
	r.leader = func(asked *host) cluster.NodeID { return next[asked] }
	r.mu.Unlock()
	err := n1.try(http.MethodPost, "/v1/nodes/n1/labels", api.SetLabels{}, nil)
	wantCode(t, "a write in a circle", err, api.CodeNoQuorum)
	if st := get[api.Status](n1, "/v1/status"); !st.Stale {
		t.Errorf("a read in a circle: %+v", st)
	}
	if w := n1.hop(n2, maxHops, http.MethodPost, "/v1/nodes/n1/labels", "{}"); w.Code != http.StatusServiceUnavailable {
		t.Errorf("a call that was passed on %d times: HTTP %d %s", maxHops, w.Code, w.Body)
	}
}

// A leader that was replaced and has not heard of it answers reads as one
// without a leader, whomever they come through.
func TestReplacedLeaderSaysThatItMayBeOld(t *testing.T) {
	r := newRing(t, nil, "n1", "n2", "w3")
	for _, h := range r.hosts {
		if st := get[api.Status](h, "/v1/status"); st.Stale {
			t.Errorf("through %s with a leader: %+v", h.name, st)
		}
	}
	r.mu.Lock()
	r.deposed = true
	r.mu.Unlock()
	for _, h := range r.hosts {
		if st := get[api.Status](h, "/v1/status"); !st.Stale {
			t.Errorf("through %s with a leader that was replaced: %+v", h.name, st)
		}
		err := h.try(http.MethodPost, "/v1/services/shop/web/scale", api.Scale{Replicas: 2}, nil)
		wantCode(t, "a change of what the old leader does not know, through "+h.name, err, api.CodeNoQuorum)
		if _, err := h.client.Services(t.Context(), ""); err != nil || !h.client.Stale() {
			t.Errorf("a list through %s: %v, marked stale: %v", h.name, err, h.client.Stale())
		}
	}
}

func TestWithoutLeader(t *testing.T) {
	r := newRing(t, nil, "n1", "n2", "w3")
	r.noLeader()
	for _, c := range [][2]string{
		{http.MethodPost, "/v1/nodes/n1/labels"},
		{http.MethodPost, "/v1/tokens"},
		{http.MethodDelete, "/v1/stacks/shop"},
		{http.MethodPost, "/v1/services/shop/web/scale"},
	} {
		for _, asked := range []string{"n1", "n2", "w3"} {
			err := r.host(asked).try(c[0], c[1], struct{}{}, nil)
			wantCode(t, c[0]+" "+c[1]+" through "+asked, err, api.CodeNoQuorum)
			if err != nil && !strings.Contains(err.Hint, "majority") {
				t.Errorf("no hint in %v", err)
			}
		}
	}
	for _, asked := range []string{"n1", "n2", "w3"} {
		if got := len(get[[]api.Node](r.host(asked), "/v1/nodes")); got != 3 {
			t.Errorf("a read through %s shows %d nodes", asked, got)
		}
	}
}

// The leader's host is dead, and nobody has noticed yet.
func TestLeaderUnreachable(t *testing.T) {
	r := newRing(t, nil, "n1", "n2", "w3")
	r.host("n1").stop()
	n2 := r.host("n2")
	if st := get[api.Status](n2, "/v1/status"); !st.Stale || st.Nodes != 3 {
		t.Errorf("a read: %+v", st)
	}
	n2.engine.AddImage("web:1")
	for name, err := range map[string]*api.Error{
		"a label":  n2.try(http.MethodPost, "/v1/nodes/n1/labels", api.SetLabels{}, nil),
		"a deploy": n2.try(http.MethodPut, "/v1/stacks/shop", api.Deploy{Services: []api.NamedSpec{named("web")}}, nil),
	} {
		if err == nil || !slices.Contains([]api.Code{api.CodeNoQuorum, api.CodeUnknown}, err.Code) || err.Hint == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// silenced are the ways to others of a node that is cut off right after the leader
// has answered that it is alive.
type silenced struct {
	Peers
	asked atomic.Int32
}

func (p *silenced) Call(ctx context.Context, _ cluster.NodeID, _, _ string, _, _ any) error {
	if p.asked.Add(1) == 1 {
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}

func (p *silenced) Transport(cluster.NodeID, bool) http.RoundTripper { return p }

func (p *silenced) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// A read that was passed on right before a cut is served from what there is.
func TestCutWhileAReadIsPassedOn(t *testing.T) {
	r := newRing(t, nil, "n1", "n2", "w3")
	for name, want := range map[string]api.Code{"n2": "", "w3": api.CodeUnavailable} {
		h := r.host(name)
		alone := *h.backend
		alone.Peers = &silenced{}
		h.server.Attach(&alone)
		var st api.Status
		err := h.try(http.MethodGet, "/v1/status", nil, &st)
		wantCode(t, "a read through "+name, err, want)
		if err == nil && (!st.Stale || st.Nodes != 3) {
			t.Errorf("a read through %s: %+v", name, st)
		}
	}
}

// A node says whether it pays to try again: a leader is elected within seconds,
// and one that has been gone for longer does not come back for a user who waits.
func TestNoLeaderForLong(t *testing.T) {
	r := newRing(t, nil, "n1", "n2", "w3")
	r.host("n1").stop()
	for alone, lasting := range map[time.Duration]bool{time.Second: false, time.Minute: true} {
		for _, h := range r.hosts {
			h.alone = alone
		}
		for _, through := range []string{"n2", "w3"} {
			err := r.host(through).try(http.MethodPost, "/v1/nodes/n1/labels", api.SetLabels{}, nil)
			if err == nil || err.Lasting != lasting {
				t.Errorf("through %s, after %v: %+v", through, alone, err)
			}
		}
	}
}

// A worker that reaches no voter says so.
func TestNoVoterReachable(t *testing.T) {
	r := newRing(t, nil, "n1", "w2")
	r.host("n1").stop()
	for _, path := range []string{"/v1/status", "/v1/nodes"} {
		wantCode(t, path, r.host("w2").try(http.MethodGet, path, nil, nil), api.CodeUnavailable)
	}
}

// A node that is elected while it looks for the leader commits the deploy that it
// was asked for: it must not be acknowledged without that.
func TestElectedInTheMiddleOfADeploy(t *testing.T) {
	r := newRing(t, nil, "n1", "n2", "n3")
	n1 := r.host("n1")
	n1.engine.AddImage("app:1")
	asked := 0
	r.mu.Lock()
	r.leader = func(*host) cluster.NodeID {
		if asked++; asked == 1 {
			return "" // the others know none either: see seek
		}
		return n1.id
	}
	r.mu.Unlock()
	r.host("n2").stop()
	r.host("n3").stop()
	out, err := n1.client.Deploy(t.Context(), "shop", []api.NamedSpec{{Name: "web", Spec: cluster.ServiceSpec{
		Mode: cluster.Replicated, Replicas: 1, Template: cluster.Template{Container: cluster.ContainerSpec{Image: cluster.Image{Ref: "app:1"}}},
	}}})
	if _, there := r.view().Service("shop/web"); err != nil || !there || len(out.Services) != 1 {
		t.Errorf("deployed %+v, %v; it is there: %v", out, err, there)
	}
}
