package state

import (
	"testing"

	"github.com/musterhq/muster/cluster"
)

func TestAChangeOfTheBalanceReplacesNothing(t *testing.T) {
	w := newWorld(t, "n1")
	w.must(PutStack{Stack: "s", Services: []NamedSpec{{"web", spec("a", 2)}}})
	other := spec("a", 2)
	other.Balance = cluster.Balance{Policy: cluster.Maglev}
	put := PutStack{Stack: "s", Services: []NamedSpec{{"web", other}}}
	if got := Needs(put); got != 3 {
		t.Errorf("it needs version %d", got)
	}
	r := w.must(put)
	s, _ := w.View().Service("s/web")
	if s.Generation != 1 || s.Spec.Balance != other.Balance || r.Services[0].Action != "updated" {
		t.Errorf("generation %d, balance %+v, %s", s.Generation, s.Spec.Balance, r.Services[0].Action)
	}
}
