package state

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/musterhq/muster/cluster"
)

func TestConfigure(t *testing.T) {
	w := newWorld(t, "n1")
	before := w.View()
	queue := cluster.QueueFair
	change := Configure{Change: cluster.SettingsChange{Queue: &queue, Weights: map[string]float64{"shop": 2}}}
	if Needs(change) != 3 {
		t.Errorf("it needs version %d", Needs(change))
	}
	w.must(change)
	want := cluster.Settings{Queue: queue, Weights: map[string]float64{"shop": 2}}
	if d := cmp.Diff(want, w.View().Settings(), cmpopts.EquateComparable(netip.Prefix{})); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if w.View().Hash() == before.Hash() || before.Settings().Queue != "" {
		t.Error("the hash is as before, or an older view changed")
	}
	if !w.View().Holds(change) {
		t.Error("the same change again changes something")
	}
	bad := cluster.QueueOrder("fifo")
	w.refused(Configure{Change: cluster.SettingsChange{Queue: &bad}}, CodeInvalid)

	var snap bytes.Buffer
	if err := w.View().WriteSnapshot(&snap); err != nil {
		t.Fatal(err)
	}
	st, err := ReadSnapshot(&snap)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, st.View().Settings(), cmpopts.EquateComparable(netip.Prefix{})); d != "" || st.View().Hash() != w.View().Hash() {
		t.Errorf("after a snapshot (-want +got):\n%s", d)
	}
}
