package server

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/security"
)

// hearing keeps the heartbeats that reached the leader.
type hearing struct {
	quietLeader
	heard *[]cluster.NodeID
}

func (l hearing) Heartbeat(h api.Heartbeat) uint64 {
	*l.heard = append(*l.heard, h.Node)
	return 42
}

// update is what a host's agent says of it.
func update(h *host) api.NodeUpdate {
	return api.NodeUpdate{
		ID: h.id, Address: "127.0.0.1", APIPort: h.address.Port, GossipPort: 1,
		Capacity: cluster.Resources{MilliCPU: 1000, Memory: 1 << 30}, Labels: map[string]string{"zone": "z"},
	}
}

// A node speaks for itself, directly or through a voter, and for nobody else.
func TestNobodySpeaksForAnotherNode(t *testing.T) {
	r := newRing(t, nil, "n1", "n2", "w3", "w4")
	r.put()
	task := r.task("A", 1, "w4", up)
	var heard []cluster.NodeID
	r.host("n1").backend.Leader = hearing{heard: &heard}
	w4 := r.host("w4")
	calls := map[string]any{
		"heartbeat": api.Heartbeat{Node: w4.id},
		"observe":   api.ObserveBatch{Node: w4.id, Tasks: []api.TaskObserved{{Task: task, Observed: cluster.Observed{Phase: cluster.PhaseRunning, Restarts: 7}}}},
		"update":    update(w4),

		"images/pulled": api.ImagePulled{Node: w4.id, Digest: "app@sha256:" + strings.Repeat("1", 64), ID: "sha256:" + strings.Repeat("a", 64)},
	}
	before := r.view().Hash()
	for name, body := range calls {
		err := r.host("w3").call(r.host("n1"), http.MethodPost, "/v1/node/"+name, body, nil)
		wantCode(t, "a worker's "+name+" for another", err, api.CodeForbidden)
		err = r.host("w3").call(r.host("n2"), http.MethodPost, "/v1/node/"+name, body, nil)
		wantCode(t, "a worker's "+name+" for another through a voter", err, api.CodeForbidden)
	}
	if r.view().Hash() != before || len(heard) > 0 {
		t.Fatalf("it had an effect; heartbeats of %v", heard)
	}
	for _, through := range []string{"n1", "n2"} {
		for _, name := range []string{"heartbeat", "observe", "update"} {
			wantCode(t, "its own "+name+" through "+through, w4.call(r.host(through), http.MethodPost, "/v1/node/"+name, calls[name], nil), "")
		}
	}
	if diff := cmp.Diff([]cluster.NodeID{w4.id, w4.id}, heard); diff != "" {
		t.Errorf("heartbeats (-want +got):\n%s", diff)
	}
	if got, _ := r.view().Task(task); got.Observed.Restarts != 7 {
		t.Errorf("observed %+v", got.Observed)
	}
}

// A header that names another node is believed of voters only.
func TestSpeakerIsNotTakenOnTrust(t *testing.T) {
	r := newRing(t, nil, "n1", "n2", "w3", "w4")
	for by, want := range map[string]cluster.NodeID{"w3": r.host("w3").id, "n2": r.host("w4").id} {
		req := httptest.NewRequest(http.MethodPost, "/v1/node/heartbeat", nil)
		req.Header.Set(hopsHeader, "1")
		req.Header.Set(speakerHeader, string(r.host("w4").id))
		c := &call{Backend: r.host("n1").backend, r: req, caller: security.Caller{NodeID: string(r.host(by).id)}}
		if got := c.speaker(); got != want {
			t.Errorf("%s passes on a call: the speaker is %s, want %s", by, got, want)
		}
	}
}

func TestLeave(t *testing.T) {
	r := newRing(t, nil, "n1", "n2", "w3", "w4")
	leave := func(who, through string) *api.Error {
		return r.host(who).call(r.host(through), http.MethodPost, "/v1/node/leave", struct{}{}, nil)
	}
	wantCode(t, "the leader", leave("n1", "n1"), api.CodeConflict)
	wantCode(t, "a worker", leave("w3", "n1"), "")
	wantCode(t, "a worker again", leave("w3", "n1"), api.CodeRemoved)
	wantCode(t, "a worker through another voter", leave("w4", "n2"), "")
	var left []string
	for n := range r.view().Nodes() {
		left = append(left, n.Name)
	}
	slices.Sort(left)
	if diff := cmp.Diff([]string{"n1", "n2"}, left); diff != "" {
		t.Errorf("nodes (-want +got):\n%s", diff)
	}
}

func TestHeartbeatReply(t *testing.T) {
	r := newRing(t, nil, "n1", "w2")
	var heard []cluster.NodeID
	r.host("n1").backend.Leader = hearing{heard: &heard}
	var reply api.HeartbeatReply
	wantCode(t, "heartbeat", r.host("w2").call(r.host("n1"), http.MethodPost, "/v1/node/heartbeat", api.Heartbeat{Node: r.host("w2").id}, &reply), "")
	if diff := cmp.Diff(api.HeartbeatReply{Leader: r.host("n1").id, Epoch: 1, Index: 42, Authority: r.ca.Hash()}, reply); diff != "" {
		t.Errorf("reply (-want +got):\n%s", diff)
	}
}

// A newer agent's heartbeat has fields that an older leader does not know.
func TestNewerAgentsAreUnderstood(t *testing.T) {
	r := newRing(t, nil, "n1", "w2")
	var heard []cluster.NodeID
	r.host("n1").backend.Leader = hearing{heard: &heard}
	beat := map[string]any{"node": r.host("w2").id, "a_later_field": 1}
	wantCode(t, "heartbeat", r.host("w2").call(r.host("n1"), http.MethodPost, "/v1/node/heartbeat", beat, nil), "")
	if len(heard) != 1 {
		t.Errorf("heartbeats %v", heard)
	}
}

func TestUpdateIsValidated(t *testing.T) {
	r := newRing(t, nil, "n1", "w2")
	w2 := r.host("w2")
	for field, spoil := range map[string]func(u *api.NodeUpdate){
		"address":         func(u *api.NodeUpdate) { u.Address = "example" },
		"port":            func(u *api.NodeUpdate) { u.APIPort = 0 },
		"capacity.cpus":   func(u *api.NodeUpdate) { u.Capacity.MilliCPU = -1 },
		"capacity.memory": func(u *api.NodeUpdate) { u.Capacity.Memory = -1 },
		"labels":          func(u *api.NodeUpdate) { u.Labels = map[string]string{"": "x"} },
	} {
		u := update(w2)
		spoil(&u)
		err := w2.call(r.host("n1"), http.MethodPost, "/v1/node/update", u, nil)
		wantCode(t, field, err, api.CodeInvalid)
		if err != nil && !strings.HasPrefix(err.Field, field) {
			t.Errorf("%s: the error names field %q: %v", field, err.Field, err)
		}
	}
	wantCode(t, "a good one", w2.call(r.host("n1"), http.MethodPost, "/v1/node/update", update(w2), nil), "")
	if n, _ := r.view().Node(w2.id); n.Labels["zone"] != "z" || n.Capacity.MilliCPU != 1000 {
		t.Errorf("the node is %+v", n)
	}
}

// probed answers every probe and keeps what was dialled.
type probed struct {
	quietNode
	dialed *[]string
}

func (p probed) Probe(_ context.Context, in api.Probe) api.ProbeResult {
	*p.dialed = append(*p.dialed, in.Address)
	return api.ProbeResult{Outcome: "silent"}
}

// Only voters have hosts dialled, and only those of members.
func TestProbeDialsMembersOnly(t *testing.T) {
	r := newRing(t, nil, "n1", "w2", "w3")
	var dialed []string
	r.host("w2").backend.Local = probed{dialed: &dialed}
	member := r.host("w3").address.String()
	for _, tc := range []struct {
		by, address string
		want        api.Code
	}{
		{"n1", "127.0.0.1:22", api.CodeNotFound},
		{"n1", "192.0.2.1:80", api.CodeNotFound},
		{"w3", member, api.CodeForbidden},
		{"n1", member, ""},
	} {
		var out api.ProbeResult
		err := r.host(tc.by).call(r.host("w2"), http.MethodPost, "/v1/node/probe", api.Probe{Address: tc.address, Tries: 2}, &out)
		wantCode(t, tc.by+" of "+tc.address, err, tc.want)
		if err == nil && out.Outcome != "silent" {
			t.Errorf("outcome %q", out.Outcome)
		}
	}
	if diff := cmp.Diff([]string{member}, dialed); diff != "" {
		t.Errorf("dialled (-want +got):\n%s", diff)
	}
}

func TestNodeEdits(t *testing.T) {
	r := newRing(t, nil, "n1", "w2", "w3")
	n1 := r.host("n1")
	var d api.NodeDetail
	set := func(a cluster.Availability, dry bool) *api.Error {
		return n1.try(http.MethodPost, "/v1/nodes/w2/availability", api.SetAvailability{Availability: a, DryRun: dry}, &d)
	}
	wantCode(t, "a dry run", set(cluster.Drained, true), "")
	if d.Availability != "active" {
		t.Errorf("after a dry run the node is %s", d.Availability)
	}
	wantCode(t, "drain", set(cluster.Drained, false), "")
	if d.Availability != "drained" {
		t.Errorf("the answer says %s", d.Availability)
	}
	wantCode(t, "nonsense", set("asleep", false), api.CodeInvalid)
	labels := api.SetLabels{Set: map[string]string{"zone": "a", "disk": "ssd"}, Remove: []string{"disk"}}
	wantCode(t, "labels", n1.try(http.MethodPost, "/v1/nodes/w2/labels", labels, &d), "")
	if diff := cmp.Diff(map[string]string{"zone": "a"}, d.Labels); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	bad := n1.try(http.MethodPost, "/v1/nodes/w2/labels", api.SetLabels{Set: map[string]string{"": "a"}}, nil)
	wantCode(t, "a bad label", bad, api.CodeInvalid)

	remove := func(name, query string) *api.Error {
		return n1.try(http.MethodDelete, "/v1/nodes/"+name+query, nil, nil)
	}
	for _, tc := range []struct {
		name, query string
		want        api.Code
	}{
		{"n1", "", api.CodeConflict},
		{"n1", "?force=1", api.CodeConflict}, // the leader never removes itself
		{"w2", "", api.CodeConflict},         // it still runs
		{"w2", "?force=1", ""},
		{"w2", "?force=1", api.CodeNotFound},
	} {
		err := remove(tc.name, tc.query)
		wantCode(t, "remove "+tc.name+tc.query, err, tc.want)
		if err != nil && err.Hint == "" {
			t.Errorf("remove %s: no hint in %v", tc.name, err)
		}
	}
	r.condition("w3", cluster.Down)
	wantCode(t, "remove a dead node", remove("w3", ""), "")
	if r.view().NodeCount() != 1 {
		t.Errorf("%d nodes are left", r.view().NodeCount())
	}
}
