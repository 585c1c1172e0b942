package server

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
)

// counting is a leader that knows who has a vote.
type counting struct {
	quietLeader
	votes map[cluster.NodeID]bool
}

func (l counting) Votes() map[cluster.NodeID]bool { return l.votes }

// A node that follows the log and has no vote yet is not called a voter.
func TestRoleIsRaftsOwn(t *testing.T) {
	r := newRing(t, nil, "n1", "n2", "n3", "n4", "w5")
	leader := counting{votes: map[cluster.NodeID]bool{r.host("n1").id: true, r.host("n2").id: true, r.host("n3").id: false}}
	r.host("n1").backend.Leader = leader
	for _, asked := range []string{"n1", "n2", "w5"} {
		roles := map[string]string{}
		for _, n := range get[[]api.Node](r.host(asked), "/v1/nodes") {
			roles[n.Name] = n.Role
		}
		want := map[string]string{"n1": "leader", "n2": "voter", "n3": "non-voter", "n4": "non-voter", "w5": "worker"}
		if d := cmp.Diff(want, roles); d != "" {
			t.Errorf("asked of %s: %s", asked, d)
		}
		if d := cmp.Diff([]string{"n1", "n2"}, get[api.Status](r.host(asked), "/v1/status").Voters); d != "" {
			t.Errorf("status of %s: %s", asked, d)
		}
	}
}

// opening is a node that is asked to open its log again.
type opening struct {
	quietNode
	times *int
	err   error
}

func (o opening) Revote(context.Context) error {
	*o.times++
	return o.err
}

// A voter has another open its log again, there and nowhere else; nobody else may.
func TestRevote(t *testing.T) {
	r := newRing(t, nil, "n1", "n2", "w3")
	times := map[string]*int{}
	for _, h := range r.hosts {
		times[h.name] = new(int)
		h.backend.Local = opening{times: times[h.name]}
	}
	ask := func(who, whom string) *api.Error {
		return r.host(who).call(r.host(whom), http.MethodPost, "/v1/node/revote", struct{}{}, nil)
	}
	wantCode(t, "a worker", ask("w3", "n2"), api.CodeForbidden)
	wantCode(t, "a voter", ask("n1", "n2"), "")
	if *times["n1"] != 0 || *times["n2"] != 1 || *times["w3"] != 0 {
		t.Errorf("n1 opened its log %d times, n2 %d, w3 %d", *times["n1"], *times["n2"], *times["w3"])
	}
	r.host("n2").backend.Local = opening{times: times["n2"], err: errors.New("the log does not open")}
	if err := ask("n1", "n2"); err == nil || err.Message != "the log does not open" {
		t.Errorf("its error is lost: %v", err)
	}
}
