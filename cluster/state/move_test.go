package state

import (
	"testing"

	"github.com/musterhq/muster/cluster"
)

const moved = cluster.ServiceID("s/web")

// moving is a service with a task each on n1 and n2.
func moving(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, "n3", "n1", "n2")
	w.must(PutStack{Stack: "s", Services: []NamedSpec{{"web", spec("a", 2)}}})
	w.must(Reconcile{Create: []cluster.Task{task("1", 1, "n1", 0), task("2", 2, "n2", 0)}})
	return w
}

func (w *world) leaving(id cluster.TaskID) bool {
	t, ok := w.View().Task(id)
	return ok && t.Leaving(w.View().Now())
}

func TestMove(t *testing.T) {
	w := moving(t)
	note := cluster.Note{Author: "ann", Message: "it is loud"}
	w.must(Move{Tasks: []MoveTask{{Task: "1", From: "n1", To: "n3", Why: "gains 3"}}, Note: note})
	one, _ := w.View().Task("1")
	if !w.leaving("1") || one.Leave.Reason != "gains 3, asked for by ann: it is loud" || one.Leave.To != "n3" || one.Desired != cluster.Running {
		t.Errorf("%+v", one.Leave)
	}
	w.must(Move{Tasks: []MoveTask{{Task: "2", From: "n2"}}})
	if w.leaving("1") || !w.leaving("2") {
		t.Error("an earlier wish outlives the next about its service")
	}
	w.must(Move{Services: []cluster.ServiceID{moved}})
	if w.leaving("2") {
		t.Error("it is still to leave")
	}
	w.must(Move{Tasks: []MoveTask{{Task: "2", From: "n2"}}})
	w.now = w.now.Add(cluster.MoveWithin)
	if two, _ := w.View().Task("2"); two.Leaving(w.now) {
		t.Error("a wish stands for ever")
	}
}

// What a move rests on may have gone while it was on its way.
func TestMoveHoldsAsLongAsItsGroundsDo(t *testing.T) {
	for name, c := range map[string]struct {
		move    MoveTask
		news    Body
		refused string
	}{
		"stopped":       {MoveTask{Task: "1", From: "n1"}, Reconcile{Stop: []StopTask{{Task: "1"}}}, "it is wanted no more"},
		"forgotten":     {MoveTask{Task: "9", From: "n1"}, nil, "it is wanted no more"},
		"on another":    {MoveTask{Task: "1", From: "n2"}, nil, "it is on another node"},
		"there":         {MoveTask{Task: "1", From: "n1", To: "n1"}, nil, "it is there already"},
		"target gone":   {MoveTask{Task: "1", From: "n1", To: "n3"}, RemoveNode{ID: "n3"}, "node n3 has left"},
		"target closed": {MoveTask{Task: "1", From: "n1", To: "n3"}, SetAvailability{"n3", cluster.Drained}, "node n3 takes no task: drained"},
		"one that runs": {MoveTask{Task: "1", From: "n1", To: "n3"}, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := moving(t)
			if c.news != nil {
				w.must(c.news)
			}
			r := w.must(Move{Tasks: []MoveTask{c.move}})
			if c.refused == "" {
				if len(r.Refused) > 0 || !w.leaving("1") {
					t.Errorf("refused %v", r.Refused)
				}
				return
			}
			if len(r.Refused) != 1 || r.Refused[0].Reason != "since its task was to move, "+c.refused || w.leaving("1") {
				t.Errorf("refused %v, want %q", r.Refused, c.refused)
			}
		})
	}
}

func TestStopForAMoveThatWasCalledOff(t *testing.T) {
	w := moving(t)
	w.must(Move{Tasks: []MoveTask{{Task: "1", From: "n1"}}})
	w.must(Move{Services: []cluster.ServiceID{moved}})
	r := w.must(Reconcile{Stop: []StopTask{{Task: "1", Leaving: true}}})
	if one, _ := w.View().Task("1"); len(r.Refused) != 1 || one.Desired != cluster.Running {
		t.Errorf("refused %v", r.Refused)
	}
}
