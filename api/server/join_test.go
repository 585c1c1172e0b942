package server

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
	"github.com/musterhq/muster/security"
)

// authority is the cluster's, with its key at hand.
type authority struct {
	Trust
	ca *security.CA
}

func (a authority) Sign(csr []byte, node cluster.NodeID) ([]byte, error) {
	return a.ca.Sign(csr, string(node), time.Now(), time.Hour)
}

func (authority) GossipKeys(cluster.Identity) ([][]byte, error) {
	return [][]byte{[]byte("gossip")}, nil
}

// joining is a ring whose leader admits nodes.
func joining(t *testing.T) *ring {
	r := newRing(t, nil, "n1", "n2")
	for _, h := range r.hosts {
		h.backend.Trust = authority{ca: r.ca}
	}
	return r
}

// token makes a join token on the leader.
func (r *ring) token(in api.CreateToken) string {
	r.t.Helper()
	tok, err := r.host("n1").server.NewToken(r.t.Context(), in)
	if err != nil {
		r.t.Fatal(err)
	}
	return tok.Secret
}

func joiner(t *testing.T, name, token string) api.NodeJoin {
	t.Helper()
	key, err := security.NewIdentityKey()
	if err != nil {
		t.Fatal(err)
	}
	csr, err := security.CSR(key)
	if err != nil {
		t.Fatal(err)
	}
	return api.NodeJoin{Token: token, CSR: csr, Node: cluster.Node{
		ID: cluster.NodeID(ulid.Make().String()), Name: name, Address: "10.0.0.9", APIPort: 7070, GossipPort: 7071,
		Capacity: cluster.Resources{MilliCPU: 1000, Memory: 1 << 30},
	}}
}

// join asks a host for admission; without a certificate, as a stranger does.
func (h *host) join(in api.NodeJoin) (out api.NodeJoined, err *api.Error) {
	err = h.try(http.MethodPost, "/v1/node/join", in, &out)
	return out, err
}

func TestJoin(t *testing.T) {
	for _, through := range []string{"n1", "n2"} {
		t.Run("through "+through, func(t *testing.T) {
			r := joining(t)
			in := joiner(t, "new", r.token(api.CreateToken{}))
			in.Node.Voter, in.Node.Condition, in.Node.Availability = true, cluster.Down, cluster.Drained // not the joiner's to say
			out, err := r.host(through).join(in)
			wantCode(t, "join", err, "")
			n, ok := r.view().Node(in.Node.ID)
			if !ok || n.Voter || n.Condition != cluster.Ready || n.Availability != cluster.Active || n.Name != "new" {
				t.Errorf("admitted as %+v", n)
			}
			if out.ClusterID != r.id || string(out.GossipKey) != "gossip" || len(out.Members) != 3 || string(out.CA) != string(r.ca.CertPEM()) {
				t.Errorf("the answer: %+v", out)
			}
			csr, _ := security.ParseCSR(in.CSR)
			if n.PublicKey != security.PublicKeyHash(csr) || !strings.Contains(string(out.Certificate), "CERTIFICATE") {
				t.Errorf("certificate %q for key %s", out.Certificate, n.PublicKey)
			}
		})
	}
}

func TestJoinIsRefused(t *testing.T) {
	r := joining(t)
	good := r.token(api.CreateToken{})
	used := r.token(api.CreateToken{Uses: 1})
	if _, err := r.host("n1").join(joiner(t, "first", used)); err != nil {
		t.Fatal(err)
	}
	revoked := r.token(api.CreateToken{})
	tok, _ := security.ParseToken(revoked)
	r.apply(state.RemoveToken{ID: tok.ID})

	old := r.token(api.CreateToken{})
	tok, _ = security.ParseToken(old)
	kept, _ := r.view().Token(tok.ID)
	past := *kept
	past.Expires = time.Now().Add(-time.Second)
	r.apply(state.PutToken{Token: past})

	tok, _ = security.ParseToken(good)
	tok.Secret[0] ^= 1
	forged := tok.String()
	other := joining(t)
	for _, tc := range []struct {
		name  string
		token string
		spoil func(in *api.NodeJoin)
		want  api.Code
		says  string
	}{
		{"no token", "", nil, api.CodeForbidden, "empty"},
		{"nonsense", "MUSTER-1-XYZ", nil, api.CodeForbidden, "cut short"},
		{"a wrong secret", forged, nil, api.CodeForbidden, "unknown, used up or revoked"},
		{"an expired token", old, nil, api.CodeForbidden, "expired"},
		{"a used-up token", used, nil, api.CodeForbidden, "used up"},
		{"a revoked token", revoked, nil, api.CodeForbidden, "revoked"},
		{"another cluster's token", other.token(api.CreateToken{}), nil, api.CodeForbidden, "another cluster"},
		{"a bad name", good, func(in *api.NodeJoin) { in.Node.Name = "../etc" }, api.CodeInvalid, "name"},
		{"no name", good, func(in *api.NodeJoin) { in.Node.Name = "" }, api.CodeInvalid, "name"},
		{"a taken name", good, func(in *api.NodeJoin) { in.Node.Name = "n2" }, api.CodeConflict, "--name"},
		{"a taken ID", good, func(in *api.NodeJoin) { in.Node.ID = r.host("n2").id }, api.CodeConflict, "already"},
		{"no ID", good, func(in *api.NodeJoin) { in.Node.ID = "" }, api.CodeInvalid, "id"},
		{"an ID that is no ULID", good, func(in *api.NodeJoin) { in.Node.ID = "n9" }, api.CodeInvalid, "id"},
		{"a host name as address", good, func(in *api.NodeJoin) { in.Node.Address = "host.example" }, api.CodeInvalid, "--advertise"},
		{"a bad port", good, func(in *api.NodeJoin) { in.Node.APIPort = 70700 }, api.CodeInvalid, "port"},
		{"a bad label", good, func(in *api.NodeJoin) { in.Node.Labels = map[string]string{"": "x"} }, api.CodeInvalid, "labels"},
		{"a negative capacity", good, func(in *api.NodeJoin) { in.Node.Capacity.Memory = -1 }, api.CodeInvalid, "capacity"},
		{"a broken request", good, func(in *api.NodeJoin) { in.CSR = []byte("x") }, api.CodeInvalid, "signing request"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in := joiner(t, "new", tc.token)
			if tc.spoil != nil {
				tc.spoil(&in)
			}
			before := r.view().Hash()
			_, err := r.host("n1").join(in)
			wantCode(t, "join", err, tc.want)
			if err != nil && !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%q does not say %q", err, tc.says)
			}
			if err != nil && err.Code == api.CodeForbidden && tc.token != "" && !strings.HasPrefix(tc.token, "MUSTER-1-XYZ") && !strings.Contains(err.Hint, "muster token create") {
				t.Errorf("no way out in %v", err)
			}
			if r.view().Hash() != before {
				t.Error("the state changed")
			}
		})
	}
}

// However many ask at once, a token admits as many as it says.
func TestTokenUsesAreCounted(t *testing.T) {
	const asking, uses = 8, 3
	r := joining(t)
	token := r.token(api.CreateToken{Uses: uses})
	var wg sync.WaitGroup
	errs := make([]*api.Error, asking)
	for i := range asking {
		in := joiner(t, fmt.Sprintf("new%d", i), token)
		wg.Go(func() { _, errs[i] = r.host("n1").join(in) })
	}
	wg.Wait()
	admitted := 0
	for _, err := range errs {
		if err == nil {
			admitted++
		}
	}
	if admitted != uses || r.view().NodeCount() != 2+uses {
		t.Errorf("%d admitted, %d nodes", admitted, r.view().NodeCount())
	}
}

func TestTokenLimits(t *testing.T) {
	for _, tc := range []struct {
		in    api.CreateToken
		ttl   time.Duration
		uses  int
		field string // of the error
	}{
		{api.CreateToken{}, 15 * time.Minute, 100, ""},
		{api.CreateToken{TTL: "1s", Uses: 1}, time.Second, 1, ""},
		{api.CreateToken{TTL: "720h", Uses: 10_000}, 720 * time.Hour, 10_000, ""},
		{api.CreateToken{TTL: "0s"}, 0, 0, "ttl"},
		{api.CreateToken{TTL: "1ms"}, 0, 0, "ttl"},
		{api.CreateToken{TTL: "-15m"}, 0, 0, "ttl"},
		{api.CreateToken{TTL: "721h"}, 0, 0, "ttl"},
		{api.CreateToken{TTL: "soon"}, 0, 0, "ttl"},
		{api.CreateToken{Uses: -1}, 0, 0, "uses"},
		{api.CreateToken{Uses: 10_001}, 0, 0, "uses"},
	} {
		ttl, uses, err := tokenLimits(tc.in)
		field := ""
		if err != nil {
			field = asError(err).Field
		}
		if ttl != tc.ttl || uses != tc.uses || field != tc.field {
			t.Errorf("%+v: %s, %d uses, error %v", tc.in, ttl, uses, err)
		}
	}
}

func TestTokens(t *testing.T) {
	r := joining(t)
	r.apply(state.RemoveToken{ID: "t"}) // what the ring was made with
	n1 := r.host("n1")
	var made api.NewToken
	wantCode(t, "create", n1.try(http.MethodPost, "/v1/tokens", api.CreateToken{TTL: "1h", Uses: 2}, &made), "")
	if want := "muster join " + n1.address.String() + " --token " + made.Secret; made.Command != want {
		t.Errorf("command %q, want %q", made.Command, want)
	}
	list := get[[]api.Token](n1, "/v1/tokens")
	if len(list) != 1 || list[0].ID != made.ID || list[0].Uses != 2 {
		t.Errorf("tokens %+v", list)
	}
	if raw := n1.raw(http.MethodGet, "/v1/tokens", "").Body.String(); strings.Contains(raw, made.Secret) {
		t.Error("the list shows the secret")
	}
	wantCode(t, "remove", n1.try(http.MethodDelete, "/v1/tokens/"+made.ID, nil, nil), "")
	wantCode(t, "remove again", n1.try(http.MethodDelete, "/v1/tokens/"+made.ID, nil, nil), api.CodeNotFound)
	if list := get[[]api.Token](n1, "/v1/tokens"); len(list) != 0 {
		t.Errorf("tokens %+v", list)
	}
}
