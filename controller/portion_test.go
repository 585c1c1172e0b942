package controller

import (
	"fmt"
	"strings"
	"testing"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// A decision larger than an entry is taken in portions, the stops first, and all
// of it comes about.
func TestLargeDecisionIsTakenInPortions(t *testing.T) {
	var all state.Reconcile
	for i := range 3000 {
		id := cluster.TaskID(fmt.Sprintf("%026d", i))
		all.Stop = append(all.Stop, state.StopTask{Task: id, Reason: "scaled down"})
		all.Create = append(all.Create, cluster.Task{ID: id, Service: "s/web", Reason: strings.Repeat("x", 4<<10)})
		all.Explain = append(all.Explain, state.Explain{Task: id, Reason: strings.Repeat("y", 1<<10)})
	}
	stopped, created, explained := 0, 0, 0
	for portions := 0; !all.Empty(); portions++ {
		if portions > 20 {
			t.Fatal("the portions do not come to an end")
		}
		p := portion(all, maxPortion)
		data, err := state.Encode(state.Command{Body: p})
		if err != nil {
			t.Fatal(err)
		}
		if len(data) > maxPortion {
			t.Errorf("portion %d has %d bytes", portions, len(data))
		}
		if len(p.Create) > 0 && len(p.Stop) < len(all.Stop) || len(p.Explain) > 0 && len(p.Create) < len(all.Create) {
			t.Errorf("portion %d leaves out what comes before: %d stops, %d tasks, %d reasons", portions, len(p.Stop), len(p.Create), len(p.Explain))
		}
		stopped, created, explained = stopped+len(p.Stop), created+len(p.Create), explained+len(p.Explain)
		all.Stop, all.Create, all.Explain = all.Stop[len(p.Stop):], all.Create[len(p.Create):], all.Explain[len(p.Explain):]
	}
	if stopped != 3000 || created != 3000 || explained != 3000 {
		t.Errorf("%d stopped, %d created, %d explained", stopped, created, explained)
	}
}

func TestSmallDecisionIsWhole(t *testing.T) {
	r := state.Reconcile{
		Stop: []state.StopTask{{Task: "a"}}, Create: []cluster.Task{{ID: "b"}}, Assign: []state.Assign{{Task: "c"}},
		Explain: []state.Explain{{Task: "d"}}, Forget: []cluster.ServiceID{"s"},
	}
	p := portion(r, maxPortion)
	if len(p.Stop)+len(p.Create)+len(p.Assign)+len(p.Explain)+len(p.Forget) != 5 {
		t.Errorf("%+v", p)
	}
}
