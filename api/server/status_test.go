package server

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

func TestStatus(t *testing.T) {
	r := newRing(t, nil, "n1", "n2", "n3", "w4")
	r.put()
	r.task("A", 1, "n1", up)
	r.task("B", 2, "w4", up)
	r.task("Z", 3, "w4", failed) // over: nobody wants it to run
	want := api.Status{
		ClusterID: r.id, Leader: "n1", Voters: []string{"n1", "n2", "n3"}, Nodes: 4, Services: 1, Tasks: 2,
		Healthy: true, Problems: []string{},
	}
	for _, asked := range []string{"n1", "n2", "w4"} {
		if diff := cmp.Diff(want, get[api.Status](r.host(asked), "/v1/status")); diff != "" {
			t.Errorf("through %s (-want +got):\n%s", asked, diff)
		}
	}
}

func TestStatusNamesProblems(t *testing.T) {
	for _, tc := range []struct {
		name string
		make func(r *ring)
		want []string // a word of each problem
	}{
		{"none", func(*ring) {}, nil},
		{"a node that is down", func(r *ring) { r.condition("n2", cluster.Down) }, []string{"node n2 is down: a test"}},
		{"a node that is away", func(r *ring) { r.condition("n2", cluster.Away) }, []string{"node n2 is away: a test"}},
		{"an engine that hangs", func(r *ring) {
			r.apply(state.UpdateNode{ID: r.host("n2").id, Address: "127.0.0.1", APIPort: r.host("n2").address.Port, EngineError: "does not answer"})
		}, []string{"node n2: the container engine does not answer"}},
		{"a service that is short", func(r *ring) { r.put(); r.task("A", 1, "n1", up) }, []string{"service shop/web: 1 of 2 tasks are healthy"}},
		{"a task that waits", func(r *ring) {
			r.put(replicas(1))
			r.task("A", 1, "", cluster.Observed{})
			r.apply(state.Reconcile{Explain: []state.Explain{{Task: "A", Reason: "512 MiB short"}}})
		}, []string{"0 of 1 tasks are healthy; pending: 512 MiB short"}},
		{"lost tasks", func(r *ring) { r.put(replicas(1)); r.task("A", 1, "n2", up); r.condition("n2", cluster.Down) }, []string{"node n2", "0 of 1 tasks are healthy"}},
		{"a service that was set aside", func(r *ring) {
			r.put()
			r.apply(state.Reconcile{SetAside: []state.SetAside{{Service: "shop/web", Reason: "nonsense"}}})
		}, []string{"shop/web is set aside: nonsense"}},
		{"a paused update", func(r *ring) {
			r.put(replicas(1))
			r.task("A", 1, "n1", up)
			r.apply(state.Reconcile{Verdicts: []state.Verdict{{Service: "shop/web", Generation: 1, Outcome: cluster.OutcomePaused, Reason: "web.1: exit code 1"}}})
		}, []string{"shop/web: the update is paused: web.1: exit code 1"}},
		{"a paused update that is short", func(r *ring) {
			r.put(replicas(1))
			r.apply(state.Reconcile{Verdicts: []state.Verdict{{Service: "shop/web", Generation: 1, Outcome: cluster.OutcomePaused, Reason: "web.1: exit code 1"}}})
		}, []string{"0 of 1 tasks are healthy; the update is paused: web.1"}},
		{"jobs that completed", func(r *ring) {
			r.put(restart(cluster.RestartNever))
			r.task("A", 1, "n1", done)
			r.task("B", 2, "n1", done)
		}, nil},
		{"a service on its way out", func(r *ring) { r.put(); r.apply(state.RemoveStack{Stack: "shop"}) }, nil},
		{"the nodes' own troubles", func(r *ring) {
			r.host("n1").backend.Leader = softLeader{problems: map[cluster.NodeID][]string{r.host("n2").id: {"node n2: port 80 is taken"}}}
			r.host("n1").backend.Local = troubledNode{problems: []string{"node n1: port 81 is taken"}}
		}, []string{"port 80", "port 81"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRing(t, nil, "n1", "n2")
			tc.make(r)
			st := get[api.Status](r.host("n1"), "/v1/status")
			if st.Healthy != (len(tc.want) == 0) || len(st.Problems) != len(tc.want) || st.Stale {
				t.Fatalf("%+v, want problems %q", st, tc.want)
			}
			for i, want := range tc.want {
				if !strings.Contains(st.Problems[i], want) {
					t.Errorf("problem %q does not say %q", st.Problems[i], want)
				}
			}
		})
	}
}

// Without a leader a voter answers from what it has, and says so.
func TestStatusWithoutLeader(t *testing.T) {
	r := newRing(t, nil, "n1", "n2")
	r.host("n2").backend.Local = troubledNode{problems: []string{"node n2: port 80 is taken"}}
	r.noLeader()
	st := get[api.Status](r.host("n2"), "/v1/status")
	if !st.Stale || st.Healthy || st.Leader != "" || st.Nodes != 2 || len(st.Problems) != 2 {
		t.Errorf("status %+v", st)
	}
	w := r.host("n2").raw(http.MethodGet, "/v1/services", "")
	if w.Code != http.StatusOK || w.Header().Get(api.StaleHeader) != "true" {
		t.Errorf("HTTP %d, headers %v", w.Code, w.Header())
	}
}
