package controller

import (
	"testing"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

func TestServed(t *testing.T) {
	at := func(index uint64) *api.Position { return &api.Position{Epoch: 1, Index: index} }
	for name, tt := range map[string]struct {
		heard map[cluster.NodeID]*api.Position
		down  cluster.NodeID
		want  api.Position
	}{
		"the oldest counts":             {heard: map[cluster.NodeID]*api.Position{"n1": at(9), "n2": at(7), "n3": at(8)}, want: *at(7)},
		"an older epoch is older":       {heard: map[cluster.NodeID]*api.Position{"n1": at(9), "n2": {Epoch: 0, Index: 20}, "n3": at(8)}, want: api.Position{Index: 20}},
		"one that says nothing":         {heard: map[cluster.NodeID]*api.Position{"n1": at(9), "n2": nil, "n3": at(8)}},
		"one that was never heard":      {heard: map[cluster.NodeID]*api.Position{"n1": at(9), "n3": at(8)}},
		"a dead host serves nobody":     {heard: map[cluster.NodeID]*api.Position{"n1": at(9), "n2": at(3), "n3": at(8)}, down: "n2", want: *at(8)},
		"a dead host that said nothing": {heard: map[cluster.NodeID]*api.Position{"n1": at(9), "n3": at(8)}, down: "n2", want: *at(8)},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, time.Unix(1_700_000_000, 0), "n1", "n2", "n3")
			if tt.down != "" {
				w.do(state.Reconcile{Conditions: []state.NodeCondition{{Node: tt.down, Condition: cluster.Down}}})
			}
			c := New(Config{})
			c.heard = map[cluster.NodeID]api.Heartbeat{}
			for id, p := range tt.heard {
				c.heard[id] = api.Heartbeat{Node: id, Serves: p}
			}
			if got := c.Served(w.st.View()); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}
