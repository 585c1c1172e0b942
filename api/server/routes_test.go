package server

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/security"
)

// strangers are callers that no route but the public ones may serve, and
// members that some routes may not.
type stranger struct {
	name string
	tls  *tls.ConnectionState // nil: no certificate
	// may reports whether a route of that access serves the caller.
	may func(security.Access) bool
}

func peerOf(t *testing.T, ca *security.CA, node string, now time.Time) (*tls.ConnectionState, string) {
	t.Helper()
	id, err := ca.Issue(node, now, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.ConnectionState{HandshakeComplete: true, PeerCertificates: []*x509.Certificate{id.Cert.Leaf}}, id.PublicKeyHash()
}

// Every route is tried with every kind of caller: nothing is served to one that
// its line in the table does not let in.
func TestEveryRouteRefusesStrangers(t *testing.T) {
	now := time.Now()
	ca, err := security.NewCA(ulid.Make().String(), now)
	if err != nil {
		t.Fatal(err)
	}
	host, err := ca.Issue(ulid.Make().String(), now, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	past, err := security.NewCA(ca.ClusterID(), now)
	if err != nil {
		t.Fatal(err)
	}
	worker, voter, removed := ulid.Make().String(), ulid.Make().String(), ulid.Make().String()
	workerTLS, workerKey := peerOf(t, ca, worker, now)
	voterTLS, voterKey := peerOf(t, ca, voter, now)
	removedTLS, _ := peerOf(t, ca, removed, now)
	otherKeyTLS, _ := peerOf(t, ca, voter, now)
	pastTLS, pastKey := peerOf(t, past, removed, now)
	expiredTLS, expiredKey := peerOf(t, ca, removed, now.Add(-48*time.Hour))

	public := func(a security.Access) bool { return a == security.Public }
	callers := []stranger{
		{"no certificate", nil, public},
		{"a removed node", removedTLS, public},
		{"a voter's ID with another key", otherKeyTLS, public},
		{"a worker", workerTLS, func(a security.Access) bool { return a != security.Voter && a != security.RaftStream }},
		{"a voter", voterTLS, func(security.Access) bool { return true }},
	}
	members := []api.Member{
		{ID: cluster.NodeID(worker), PublicKey: workerKey, Condition: cluster.Ready},
		{ID: cluster.NodeID(voter), PublicKey: voterKey, Voter: true, Condition: cluster.Ready},
	}
	check := func(members []api.Member, c stranger) {
		for _, rt := range routes() {
			s := New(api.Version{}, nil, slog.New(slog.DiscardHandler))
			s.Attach(&Backend{State: noState{}, Nodes: nodesOf{members: members}})
			served := false
			rt.handle = func(*call) (any, error) { served = true; return nil, nil }
			rt.where = here // who may call does not depend on who answers
			method, path, _ := strings.Cut(rt.pattern, " ")
			r := httptest.NewRequest(method, strings.NewReplacer("{", "", "}", "").Replace(path), nil)
			r.TLS = c.tls
			w := httptest.NewRecorder()
			s.serve(rt, &call{Backend: s.backend.Load(), ctx: r.Context(), s: s, w: w, r: r, caller: security.CallerOf(r.TLS, host, now)})
			if want := c.may(rt.access); served != want {
				t.Errorf("%s by %s: served %v, want %v", rt.pattern, c.name, served, want)
			}
			if !served && w.Code != http.StatusUnauthorized && w.Code != http.StatusForbidden {
				t.Errorf("%s by %s: HTTP %d", rt.pattern, c.name, w.Code)
			}
		}
	}
	for _, c := range callers {
		check(members, c)
	}
	// A member whose certificate is one of the past may renew it and nothing else.
	check(append(members, api.Member{ID: cluster.NodeID(removed), PublicKey: pastKey, Voter: true}),
		stranger{"an authority of the past", pastTLS, func(a security.Access) bool { return a == security.Public || a == security.Renewal }})
	check(append(members, api.Member{ID: cluster.NodeID(removed), PublicKey: expiredKey, Voter: true}),
		stranger{"an expired certificate", expiredTLS, func(a security.Access) bool { return a == security.Public || a == security.Renewal }})
}

// A voter that is behind what it was told believes what it was told: a host that
// has joined again has another key.
func TestAccessOnAVoterThatIsBehind(t *testing.T) {
	r := newRing(t, nil, "a", "b")
	a, b := r.host("a"), r.host("b")
	index := r.view().Index()
	for _, tt := range []struct {
		name  string
		told  uint64 // index of what it was told
		key   string
		wants bool
	}{
		{"the recorded key", index, b.ident.PublicKeyHash(), true},
		{"another key", index, "another", false},
		{"a newer key", index + 1, "newer", true},
		{"a newer key that is another one", index + 1, "another", false},
	} {
		told := nodesOf{news: api.Feed{Epoch: 1, Index: tt.told, Members: []api.Member{{ID: b.id, PublicKey: "newer"}}}}
		c := &call{Backend: &Backend{State: a.backend.State, Nodes: told}, caller: security.Caller{NodeID: string(b.id), PublicKeyHash: tt.key}}
		if err := a.server.authorise(route{access: security.AnyNode}, c); (err == nil) != tt.wants {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// A route without an access rule would be open to nobody; one that is public
// must be meant to be.
func TestPublicRoutesAreListed(t *testing.T) {
	want := map[string]bool{"GET /healthz": true, "POST /v1/node/join": true}
	for _, rt := range routes() {
		if (rt.access == security.Public) != want[rt.pattern] {
			t.Errorf("%s: access %s", rt.pattern, rt.access)
		}
	}
}

func TestUnknownCallIsAClearError(t *testing.T) {
	s := New(api.Version{}, nil, slog.New(slog.DiscardHandler))
	w := httptest.NewRecorder()
	s.NodeHandler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v9/nothing", nil))
	if w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "not a call of this API") {
		t.Errorf("HTTP %d: %s", w.Code, w.Body)
	}
}
