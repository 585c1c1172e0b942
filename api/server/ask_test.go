package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// raw sends a user's request to a host as its local socket would.
func (h *host) raw(method, path, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.server.LocalHandler().ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
	return w
}

// try sends a user's request and decodes the answer into out, which may be nil.
func (h *host) try(method, path string, in, out any) *api.Error {
	h.ring.t.Helper()
	body := ""
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			h.ring.t.Fatal(err)
		}
		body = string(b)
	}
	w := h.raw(method, path, body)
	if w.Code >= http.StatusBadRequest {
		var e api.ErrorBody
		if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || e.Error == nil {
			h.ring.t.Fatalf("%s %s: HTTP %d without a clean error: %q", method, path, w.Code, w.Body)
		}
		if e.Error.Status() != w.Code {
			h.ring.t.Errorf("%s %s: HTTP %d for an error of code %s", method, path, w.Code, e.Error.Code)
		}
		return e.Error
	}
	if out != nil {
		dec := json.NewDecoder(bytes.NewReader(w.Body.Bytes()))
		dec.DisallowUnknownFields()
		if err := dec.Decode(out); err != nil {
			h.ring.t.Fatalf("%s %s: %v in %s", method, path, err, w.Body)
		}
	}
	return nil
}

// get is a read that must succeed.
func get[T any](h *host, path string) (out T) {
	h.ring.t.Helper()
	if err := h.try(http.MethodGet, path, nil, &out); err != nil {
		h.ring.t.Fatalf("GET %s: %v", path, err)
	}
	return out
}

// call sends a node's request to another node.
func (h *host) call(to *host, method, path string, in, out any) *api.Error {
	h.ring.t.Helper()
	err := h.pool.Call(h.ring.t.Context(), to.id, method, path, in, out)
	var e *api.Error
	if err != nil && !errors.As(err, &e) {
		h.ring.t.Fatalf("%s %s: %v", method, path, err)
	}
	return e
}

// wantCode checks an error's code; "" wants none.
func wantCode(t *testing.T, what string, got *api.Error, want api.Code) {
	t.Helper()
	switch {
	case got == nil && want == "":
	case got == nil:
		t.Errorf("%s: done, want error %s", what, want)
	case got.Code != want:
		t.Errorf("%s: %s (%v), want code %q", what, got.Code, got, want)
	}
}

// softLeader is what a leader knows of the nodes.
type softLeader struct {
	quietLeader
	suspects map[cluster.NodeID]bool
	usage    map[cluster.NodeID]api.Usage
	problems map[cluster.NodeID][]string
}

func (l softLeader) Suspects() map[cluster.NodeID]bool { return l.suspects }

func (l softLeader) Problems(id cluster.NodeID) []string { return l.problems[id] }

func (l softLeader) Usage(id cluster.NodeID) (api.Usage, bool) {
	u, ok := l.usage[id]
	return u, ok
}

// troubledNode has a trouble of its own.
type troubledNode struct {
	quietNode
	problems []string
}

func (n troubledNode) Problems() []string { return n.problems }

// noLeader takes the leader away.
func (r *ring) noLeader() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.leader = func(*host) cluster.NodeID { return "" }
}

// put deploys shop/web with the given spec.
func (r *ring) put(edit ...func(*cluster.ServiceSpec)) {
	r.t.Helper()
	spec := cluster.ServiceSpec{Mode: cluster.Replicated, Replicas: 2}
	spec.Template.Container.Image = cluster.Image{Ref: "web:1", Digest: "sha256:" + strings.Repeat("a", 64)}
	for _, e := range edit {
		e(&spec)
	}
	r.apply(state.PutStack{Stack: "shop", Services: []state.NamedSpec{{Name: "web", Spec: spec}}})
}

func replicas(n int) func(*cluster.ServiceSpec) {
	return func(s *cluster.ServiceSpec) { s.Replicas = n }
}

func image(ref string) func(*cluster.ServiceSpec) {
	return func(s *cluster.ServiceSpec) { s.Template.Container.Image.Ref = ref }
}

func global(s *cluster.ServiceSpec) { s.Mode, s.Replicas = cluster.Global, 0 }

func restart(c cluster.RestartCondition) func(*cluster.ServiceSpec) {
	return func(s *cluster.ServiceSpec) { s.Template.Restart.Condition = c }
}
