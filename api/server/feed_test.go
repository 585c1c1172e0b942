package server

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// parts names what a frame carries.
func parts(f api.Feed) (out []string) {
	if f.Members != nil {
		out = append(out, "members")
	}
	if f.Assignments != nil {
		out = append(out, "assignments")
	}
	if f.Table != nil {
		out = append(out, "table")
	}
	return out
}

func TestFramesCarryWhatChanged(t *testing.T) {
	const node = cluster.NodeID("node003")
	st, next := fleet(t, 6)
	var mine, other *cluster.Task
	for task := range st.View().TasksOn(node) {
		mine = task
	}
	for task := range st.View().TasksOn("node001") {
		other = task
	}
	frame := New(api.Version{}, nil, slog.New(slog.DiscardHandler)).Frames(node)
	first := frame(st.View(), "node000")
	if diff := cmp.Diff([]string{"members", "assignments", "table"}, parts(first)); diff != "" {
		t.Fatalf("the first frame (-want +got):\n%s", diff)
	}
	if len(first.Members) != 6 || len(*first.Assignments) != 10 || len(first.Table.Endpoints) != 60 {
		t.Errorf("the first frame has %d members, %d assignments, %d endpoints", len(first.Members), len(*first.Assignments), len(first.Table.Endpoints))
	}
	exited := observed("node001", other.ID, 0)
	exited.Tasks[0].Observed.Phase = cluster.PhaseBackoff
	for _, tc := range []struct {
		name string
		do   state.Body
		want []string
	}{
		{"nothing", nil, nil},
		{"its own report", observed(node, mine.ID, 0), nil},
		{"a token", state.PutToken{Token: cluster.Token{ID: "x", SecretHash: "h", Uses: 1, Expires: time.Now()}}, nil},
		{"a label of another node", state.LabelNode{Node: "node001", Set: map[string]string{"a": "b"}}, nil},
		{"a restart that its agent counted", observed(node, mine.ID, 1), []string{"assignments"}},
		{"a task elsewhere that fails", exited, []string{"table"}},
		{"a node that is down", state.Reconcile{Conditions: []state.NodeCondition{{Node: "node002", Condition: cluster.Down}}}, []string{"members", "table"}},
		{"a task of its own that shall stop", state.Reconcile{Stop: []state.StopTask{{Task: mine.ID}}}, []string{"assignments", "table"}},
		{"a new voter", state.SetVoter{Node: "node001", Voter: true}, []string{"members"}},
		{"another leader", nil, nil},
	} {
		if tc.do != nil {
			next(tc.do)
		}
		f := frame(st.View(), "node001")
		if diff := cmp.Diff(tc.want, parts(f)); diff != "" {
			t.Errorf("%s: (-want +got):\n%s", tc.name, diff)
		}
		if f.Index != st.View().Index() || f.Epoch != 1 || f.Leader != "node001" {
			t.Errorf("%s: position %d/%d, leader %s", tc.name, f.Epoch, f.Index, f.Leader)
		}
		if f.Table != nil && f.Table.Index != f.Index {
			t.Errorf("%s: the table is of index %d, the frame of %d", tc.name, f.Table.Index, f.Index)
		}
	}
}

// A node that holds nothing of a service but what ended there learns when the
// service is gone, and not before.
func TestFramesSayWhichServicesAreThere(t *testing.T) {
	st, next := fleet(t, 6)
	frame := New(api.Version{}, nil, slog.New(slog.DiscardHandler)).Frames("node001")
	first := frame(st.View(), "node000")
	if len(first.Services) != 10 || !slices.IsSorted(first.Services) {
		t.Fatalf("services %v of 10 tasks", first.Services)
	}
	gone := first.Services[0]
	for task := range st.View().TasksOf(gone) {
		end := observed(task.Node, task.ID, 0)
		end.Tasks[0].Observed = cluster.Observed{Phase: cluster.PhaseExited, Final: true, ExitCode: 1}
		next(end)
	}
	if f := frame(st.View(), "node000"); f.Assignments == nil || len(*f.Assignments) != 9 || len(f.Services) != 10 {
		t.Errorf("after the end of its task: %v, services %v", parts(f), f.Services)
	}
	next(state.RemoveStack{Stack: gone.Stack()})
	if f := frame(st.View(), "node000"); f.Assignments != nil || f.Services != nil {
		t.Errorf("the service is there until the leader forgets it: %v", parts(f))
	}
	next(state.Reconcile{Forget: []cluster.ServiceID{gone}})
	if f := frame(st.View(), "node000"); f.Assignments == nil || len(f.Services) != 9 || slices.Contains(f.Services, gone) {
		t.Errorf("the service is gone: %v, services %v", parts(f), f.Services)
	}
	if sent, err := json.Marshal(api.Feed{Services: []cluster.ServiceID{}}); err != nil || !strings.Contains(string(sent), `"services":[]`) {
		t.Errorf("none is sent as %s, %v", sent, err)
	}
}

// What is common to all feeds is made once a view, and a reader that comes with
// an older view than others does not take it back.
func TestCommonPartsAreShared(t *testing.T) {
	st, next := fleet(t, 3)
	var c commons
	old := st.View()
	first := c.at(old)
	next(state.SetVoter{Node: "node001", Voter: true})
	newer := c.at(st.View())
	if newer.membersRev == first.membersRev || newer.tableRev != first.tableRev {
		t.Errorf("revisions: members %d to %d, table %d to %d", first.membersRev, newer.membersRev, first.tableRev, newer.tableRev)
	}
	if &c.at(old).members[0] != &newer.members[0] || &c.at(st.View()).members[0] != &newer.members[0] {
		t.Error("the members were made again")
	}
	other := state.New()
	other.Apply(1, state.Command{At: time.Now(), Body: state.Init{Identity: cluster.Identity{ID: "D", Epoch: 1}, Node: cluster.Node{ID: "x", Name: "x"}}})
	if m := c.at(other.View()).members; len(m) != 1 || m[0].ID != "x" {
		t.Errorf("in another cluster the members are %v", m)
	}
}

// readFeed opens a host's feed from another and returns its frames.
func readFeed(t *testing.T, from, on *host) (next func() (api.Feed, error)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	body, err := on.pool.Stream(ctx, from.id, http.MethodGet, "/v1/node/feed", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = body.Close() })
	dec := json.NewDecoder(body)
	return func() (f api.Feed, err error) {
		err = dec.Decode(&f)
		return f, err
	}
}

// news reads frames until one carries something.
func news(t *testing.T, next func() (api.Feed, error)) api.Feed {
	t.Helper()
	for {
		f, err := next()
		if err != nil {
			t.Fatal(err)
		}
		if f.News() {
			return f
		}
	}
}

func TestFeedStreams(t *testing.T) {
	r := newRing(t, nil, "n1", "n2", "n3", "w1")
	r.deployWeb()
	next := readFeed(t, r.host("n2"), r.host("w1"))
	if got := parts(news(t, next)); len(got) != 3 {
		t.Fatalf("the first frame carries %v", got)
	}
	idle, err := next()
	if err != nil || idle.News() || idle.Index != r.view().Index() {
		t.Errorf("the idle frame: %+v, %v", idle, err)
	}
	id, _ := r.runTask(1, "w1")
	if a := news(t, next).Assignments; a == nil || len(*a) != 1 || (*a)[0].Task.ID != id || (*a)[0].Template.Container.Image.Ref != "web:1" {
		t.Errorf("assignments %+v", a)
	}
}

func TestFeedEnds(t *testing.T) {
	for name, tc := range map[string]struct {
		do    func(r *ring)
		again api.Code // what the next call gets
	}{
		"with the vote of who serves it": {func(r *ring) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.demoted = map[string]bool{"n2": true}
			r.wake()
		}, api.CodeUnavailable},
		"with the membership of who reads it": {func(r *ring) {
			r.apply(state.RemoveNode{ID: r.host("w1").id})
		}, api.CodeRemoved},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRing(t, nil, "n1", "n2", "n3", "w1")
			next := readFeed(t, r.host("n2"), r.host("w1"))
			news(t, next)
			tc.do(r)
			var err error
			for err == nil {
				var f api.Feed
				if f, err = next(); f.News() {
					t.Errorf("it still sends %v", parts(f))
				}
			}
			if !errors.Is(err, io.EOF) {
				t.Errorf("it ended with %v", err)
			}
			err = r.host("w1").pool.Call(t.Context(), r.host("n2").id, http.MethodGet, "/v1/node/feed", nil, nil)
			if asError(err).Code != tc.again {
				t.Errorf("the next call: %v", err)
			}
		})
	}
}

func TestWorkersServeNoFeed(t *testing.T) {
	r := newRing(t, nil, "n1", "w1", "w2")
	err := r.host("w2").pool.Call(t.Context(), r.host("w1").id, http.MethodGet, "/v1/node/feed", nil, nil)
	if asError(err).Code != api.CodeUnavailable {
		t.Errorf("got %v", err)
	}
}
