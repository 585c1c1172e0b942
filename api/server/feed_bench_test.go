package server

import (
	"fmt"
	"testing"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// fleet is a state of that many nodes with ten running tasks each.
func fleet(tb testing.TB, nodes int) (st *state.State, next func(state.Body)) {
	tb.Helper()
	st = state.New()
	index, now := uint64(0), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	next = func(b state.Body) {
		tb.Helper()
		index++
		now = now.Add(time.Millisecond)
		if r := st.Apply(index, state.Command{At: now, Body: b}); r.Err != nil || len(r.Refused) > 0 {
			tb.Fatalf("%T: %v, refused %v", b, r.Err, r.Refused)
		}
	}
	for i := range nodes {
		n := cluster.Node{
			ID: cluster.NodeID(fmt.Sprintf("node%03d", i)), Name: fmt.Sprintf("n%d", i), Address: "10.0.0.1", APIPort: 7070, GossipPort: 7071,
			Capacity: cluster.Resources{MilliCPU: 64000, Memory: 64 << 30},
		}
		if i == 0 {
			next(state.Init{Identity: cluster.Identity{ID: "C", Epoch: 1}, Node: n})
			next(state.PutToken{Token: cluster.Token{ID: "t", SecretHash: "h", Uses: nodes, Expires: now.Add(time.Hour)}})
			continue
		}
		next(state.JoinNode{Token: "t", Node: n})
	}
	for s := range 30 {
		name := fmt.Sprintf("s%02d", s)
		spec := cluster.ServiceSpec{Mode: cluster.Replicated, Replicas: nodes / 3}
		spec.Template.Container.Image = cluster.Image{Ref: "web:1", Digest: "sha256:1"}
		spec.Template.Ports = []cluster.Port{{Target: 80, Published: uint16(8000 + s), Protocol: "tcp", Mode: cluster.Ingress}}
		next(state.PutStack{Stack: name, Services: []state.NamedSpec{{Name: "web", Spec: spec}}})
		var create state.Reconcile
		for slot := 1; slot <= spec.Replicas; slot++ {
			on := cluster.NodeID(fmt.Sprintf("node%03d", (slot*3+s)%nodes))
			create.Create = append(create.Create, cluster.Task{
				ID: cluster.TaskID(fmt.Sprintf("%s-%03d", name, slot)), Service: cluster.NewServiceID(name, "web"), Slot: slot, Generation: 1, Node: on,
			})
		}
		next(create)
		for _, t := range create.Create {
			next(observed(t.Node, t.ID, 0))
		}
	}
	return st, next
}

func observed(node cluster.NodeID, task cluster.TaskID, restarts int) state.Observe {
	return state.Observe{Node: node, Tasks: []state.TaskObserved{{Task: task, Observed: cluster.Observed{
		Phase: cluster.PhaseRunning, Address: "10.0.0.1", ContainerID: "c", Restarts: restarts,
		Ports: []cluster.PortBinding{{Target: 80, Host: 32768, Protocol: "tcp"}},
	}}}}
}

// One commit on a voter that all nodes of a fleet follow: 300 nodes, 3,000
// tasks.
func BenchmarkFeedsOfOneCommit(b *testing.B) {
	st, next := fleet(b, 300)

	s := New(api.Version{}, nil, nil)
	var feeds []func(state.View, cluster.NodeID) api.Feed
	for n := range st.View().Nodes() {
		feeds = append(feeds, s.Frames(n.ID))
	}
	for _, frame := range feeds {
		frame(st.View(), "")
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		next(observed("node003", "s00-001", i+1))
		v := st.View()
		b.StartTimer()
		for _, frame := range feeds {
			frame(v, "")
		}
	}
}
