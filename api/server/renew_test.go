package server

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
	"github.com/musterhq/muster/security"
)

// signer signs for whom it is told to.
type signer struct {
	Trust
	signed cluster.NodeID
}

func (s *signer) Sign(_ []byte, node cluster.NodeID) ([]byte, error) {
	s.signed = node
	return []byte("pem"), nil
}

func (*signer) GossipKeys(cluster.Identity) ([][]byte, error) { return [][]byte{{1}}, nil }

// oneNode is a state with one node of the given key.
type oneNode struct {
	noState
	view state.View
}

func (o oneNode) View() (state.View, bool) { return o.view, true }

func stateWith(t *testing.T, key string) oneNode {
	t.Helper()
	s := state.New()
	r := s.Apply(1, state.Command{Body: state.Init{Identity: cluster.Identity{ID: "C", Epoch: 1}, Node: cluster.Node{ID: "N", Name: "n", PublicKey: key}}})
	if r.Err != nil {
		t.Fatal(r.Err)
	}
	return oneNode{view: s.View()}
}

func TestRenewalIsForTheRecordedKey(t *testing.T) {
	key, err := security.NewIdentityKey()
	if err != nil {
		t.Fatal(err)
	}
	csr, err := security.CSR(key)
	if err != nil {
		t.Fatal(err)
	}
	req, err := security.ParseCSR(csr)
	if err != nil {
		t.Fatal(err)
	}
	for recorded, want := range map[string]cluster.NodeID{security.PublicKeyHash(req): "N", "another": ""} {
		sign := &signer{}
		body, _ := json.Marshal(api.Renew{CSR: csr})
		c := &call{
			Backend: &Backend{State: stateWith(t, recorded), Trust: sign}, ctx: context.Background(),
			s: New(api.Version{}, nil, slog.New(slog.DiscardHandler)), w: httptest.NewRecorder(),
			r: httptest.NewRequest(http.MethodPost, "/v1/node/renew", bytes.NewReader(body)),
		}
		_, err := nodeRenew(c)
		if sign.signed != want || (err == nil) != (want != "") {
			t.Errorf("recorded key %q: signed for %q, error %v", recorded, sign.signed, err)
		}
	}
}
