package consensus

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

func entry(t *testing.T, index uint64, b state.Body) *raft.Log {
	t.Helper()
	data, err := state.Encode(state.Command{At: time.Unix(1000, 0), Body: b})
	if err != nil {
		t.Fatal(err)
	}
	return &raft.Log{Index: index, Type: raft.LogCommand, Data: data}
}

func TestBatchChangesTheViewOnce(t *testing.T) {
	h := newHub()
	f := newFSM(state.Version, h, func(err error) { t.Error(err) })
	w := h.watch()
	w.Take()
	before := f.view.Load()
	answers := f.ApplyBatch([]*raft.Log{
		entry(t, 5, state.Init{Identity: cluster.Identity{ID: "C", Epoch: 1, CA: []byte("ca")}, Node: cluster.Node{ID: "A", Name: "a", Address: "10.0.0.1"}}),
		{Index: 6, Type: raft.LogConfiguration},
		entry(t, 7, state.SetAvailability{Node: "A", Availability: cluster.Drained}),
		entry(t, 8, state.SetAvailability{Node: "nobody", Availability: cluster.Drained}),
		{Index: 9, Type: raft.LogConfiguration},
	})
	if len(answers) != 5 || answers[1] != nil || answers[4] != nil {
		t.Fatalf("answers: %v", answers)
	}
	if r := answers[2].(state.Result); r.Err != nil || r.Index != 7 {
		t.Errorf("entry 7: %+v", r)
	}
	if r := answers[3].(state.Result); r.Err == nil {
		t.Error("entry 8 names a node that does not exist, and was not refused")
	}
	if before.NodeCount() != 0 || f.view.Load().Index() != 8 || f.index.Load() != 8 {
		t.Errorf("view at %d, index %d, the view before has %d nodes", f.view.Load().Index(), f.index.Load(), before.NodeCount())
	}
	seen := map[state.Change]int{}
	for _, c := range w.Take().Changes {
		seen[c]++
	}
	want := state.Change{Topic: state.TopicNode, Key: "A", Node: "A"}
	if diff := cmp.Diff(1, seen[want]); diff != "" {
		t.Errorf("the node is dirty %d times, among %v", seen[want], seen)
	}
}
