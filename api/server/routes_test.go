package server

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/security"
)

// bearer is somebody with an identity, and what it is good for.
type bearer struct {
	name string
	id   *security.Identity // nil: no certificate
	// may reports whether a route of that access serves the bearer; nil: there is
	// no connection at all.
	may func(security.Access) bool
	// code is what the bearer is told on the other routes.
	code api.Code
}

// issuer makes identities; it fails the test rather than its caller.
type issuer struct {
	*security.CA
	t *testing.T
}

func newIssuer(t *testing.T, clusterID string) issuer {
	t.Helper()
	ca, err := security.NewCA(clusterID, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return issuer{ca, t}
}

func (i issuer) issue(node string, at time.Time) *security.Identity {
	i.t.Helper()
	id, err := i.Issue(node, at, time.Hour)
	if err != nil {
		i.t.Fatal(err)
	}
	return id
}

// Every route is tried with every kind of caller over TLS: nothing is served to
// one that its line in the table does not let in, and the refusal says why.
func TestEveryRouteRefusesStrangers(t *testing.T) {
	now := time.Now()
	clusterID := ulid.Make().String()
	ca, past, foreign := newIssuer(t, clusterID), newIssuer(t, clusterID), newIssuer(t, ulid.Make().String())
	impostor := newIssuer(t, clusterID) // the right names, and nobody's authority
	node := func() string { return ulid.Make().String() }
	var (
		worker, voter  = ca.issue(node(), now), ca.issue(node(), now)
		sleeper, early = ca.issue(node(), now.Add(-48*time.Hour)), ca.issue(node(), now.Add(48*time.Hour))
		retired        = past.issue(node(), now)
	)
	public := func(a security.Access) bool { return a == security.Public }
	renewal := func(a security.Access) bool { return a == security.Public || a == security.Renewal }
	bearers := []bearer{
		{"no certificate", nil, public, api.CodeUnauthorized},
		{"a removed node", ca.issue(node(), now), public, api.CodeRemoved},
		{"a voter's ID with another key", ca.issue(voter.NodeID, now), public, api.CodeForbidden},
		{"a worker", worker, func(a security.Access) bool { return a != security.Voter && a != security.RaftStream }, api.CodeForbidden},
		{"a voter", voter, func(security.Access) bool { return true }, ""},
		{"an authority of the past", retired, renewal, api.CodeForbidden},
		{"an expired certificate", sleeper, renewal, api.CodeForbidden},
		{"an expired certificate of a removed node", ca.issue(node(), now.Add(-48*time.Hour)), nil, ""},
		{"a certificate of tomorrow", early, nil, ""},
		{"another cluster", foreign.issue(worker.NodeID, now), nil, ""},
		{"an authority of somebody's own", impostor.issue(voter.NodeID, now), nil, ""},
	}
	var members []api.Member
	for _, id := range []*security.Identity{worker, voter, sleeper, early, retired} {
		members = append(members, api.Member{ID: cluster.NodeID(id.NodeID), PublicKey: id.PublicKeyHash(), Voter: id != worker, Condition: cluster.Ready})
	}
	p := newPort(t, ca.issue(node(), now), members)
	for _, b := range bearers {
		t.Run(b.name, func(t *testing.T) {
			client := p.client(t, b.id)
			for _, rt := range routes() {
				p.try(t, client, b, rt)
			}
		})
	}
}

// port serves all routes over TLS, with handlers that only note that they served.
type port struct {
	address string
	served  atomic.Pointer[string] // the pattern of the last one
}

func newPort(t *testing.T, host *security.Identity, members []api.Member) *port {
	t.Helper()
	p := &port{}
	identity := func() *security.Identity { return host }
	s := New(api.Version{}, nil, slog.New(slog.DiscardHandler))
	s.Attach(&Backend{State: noState{}, Nodes: nodesOf{members: members}, Identity: identity})
	table := routes()
	for i := range table {
		table[i].where = here // who may call does not depend on who answers
		table[i].handle = func(*call) (any, error) { p.served.Store(&table[i].pattern); return nil, nil }
	}
	recorded := func(node, key string) bool { // as the agent answers it
		_, _, _, is := memberLookup(members).Node(node)
		return is != "" && is == key
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.address = l.Addr().String()
	mux := security.NewMux(l, security.ServerTLS(identity, security.VerifyOptions{AllowExpired: recorded, AllowRetired: recorded}), nil)
	stop := serve(mux.HTTP(), s.muxOf(table, s.callerOf))
	t.Cleanup(func() {
		_ = mux.Close()
		stop()
	})
	return p
}

// client calls with an identity, and believes whoever answers.
func (p *port) client(t *testing.T, id *security.Identity) *http.Client {
	t.Helper()
	cfg := &tls.Config{InsecureSkipVerify: true}
	if id != nil {
		cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &id.Cert, nil }
	}
	tr := &http.Transport{TLSClientConfig: cfg, ForceAttemptHTTP2: true}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

func (p *port) try(t *testing.T, client *http.Client, b bearer, rt route) {
	t.Helper()
	p.served.Store(nil)
	method, path, _ := strings.Cut(rt.pattern, " ")
	req, err := http.NewRequestWithContext(t.Context(), method, "https://"+p.address+strings.NewReplacer("{", "", "}", "").Replace(path), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	served := p.served.Load()
	if err == nil {
		defer func() { _ = resp.Body.Close() }()
	}
	switch {
	case b.may == nil:
		if err == nil || served != nil {
			t.Errorf("%s: HTTP %s, want no connection", rt.pattern, resp.Status)
		}
	case err != nil:
		t.Errorf("%s: %v", rt.pattern, err)
	case b.may(rt.access):
		if served == nil || *served != rt.pattern || resp.StatusCode != http.StatusNoContent {
			t.Errorf("%s: HTTP %s, want it served", rt.pattern, resp.Status)
		}
	case served != nil:
		t.Errorf("%s is served", rt.pattern)
	default:
		body, _ := io.ReadAll(resp.Body)
		if e := errorOf(t, body); e.Code != b.code || resp.StatusCode != e.Status() {
			t.Errorf("%s: HTTP %s, %s, want %s", rt.pattern, resp.Status, body, b.code)
		}
	}
}

// A node speaks for itself: what it says of another, or claims to pass on for
// another, is refused, whichever route takes such words.
func TestNodesSpeakForThemselves(t *testing.T) {
	r := newRing(t, nil, "a", "b", "w", "x")
	w, x := r.host("w"), r.host("x")
	for path, body := range map[string]any{
		"/v1/node/heartbeat": api.Heartbeat{Node: x.id},
		"/v1/node/observe":   api.ObserveBatch{Node: x.id},
		"/v1/node/update":    api.NodeUpdate{ID: x.id},
	} {
		for _, to := range []string{"a", "b"} { // the leader, and one who passes on
			if got := w.says(r.host(to), path, body, ""); got != api.CodeForbidden {
				t.Errorf("%s of another node through %s: %q", path, to, got)
			}
			if got := w.says(r.host(to), path, body, string(x.id)); got != api.CodeForbidden {
				t.Errorf("%s on behalf of another node through %s: %q", path, to, got)
			}
		}
	}
	// What it asks to go is itself, whatever it says.
	if got := w.says(r.host("a"), "/v1/node/leave", struct{}{}, string(x.id)); got != "" {
		t.Errorf("leave: %q", got)
	}
	if _, there := r.view().Node(x.id); !there {
		t.Error("a node let another one go")
	}
}

// says posts to a host as this one, and claims to pass the call on for another
// node if that is not "".
func (h *host) says(to *host, path string, in any, behalf string) api.Code {
	t := h.ring.t
	t.Helper()
	data, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+string(to.id)+path, bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if behalf != "" {
		req.Header.Set(hopsHeader, "1")
		req.Header.Set(speakerHeader, behalf)
	}
	resp, err := h.backend.Peers.Transport(to.id, false).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode < 300 {
		return ""
	}
	body, _ := io.ReadAll(resp.Body)
	return errorOf(t, body).Code
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
