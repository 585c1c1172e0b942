package rollout

import (
	"testing"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// leave asks tasks to leave their nodes.
func (w *world) leave(ids ...cluster.TaskID) {
	w.t.Helper()
	var m state.Move
	for _, id := range ids {
		t, _ := w.st.View().Task(id)
		m.Tasks = append(m.Tasks, state.MoveTask{Task: id, From: t.Node})
	}
	w.do(m)
}

func TestATaskLeavesItsNodeOnceAnotherIsReady(t *testing.T) {
	w := newWorld(t, "n1", "n2")
	w.deploy("1", replicas(2), parallel(2))
	w.run()
	w.leave("t001", "t002")
	w.decides("create 1 t003 g1 for t001") // one a service at a time
	w.decides()
	w.agents()
	w.decides("stop t001: replaced: it is to leave node n1: asked for", "create 2 t004 g1 for t002")
	w.agents()
	w.decides("stop t002: replaced: it is to leave node n2: asked for")
	w.run()
	if n := len(w.step()); n != 0 {
		t.Errorf("%d decisions more", n)
	}
}

func TestAStopFirstTaskStopsBeforeItIsFollowed(t *testing.T) {
	w := newWorld(t, "n1", "n2")
	w.deploy("1", replicas(2), stopFirst)
	w.run()
	w.leave("t001", "t002")
	w.decides("stop t001: it is to leave node n1: asked for")
	w.agents()
	w.decides("create 1 t003 g1 for t001")
}

// A wish ends by itself, or is called off: what was begun for it is withdrawn.
func TestAMoveThatIsNotDoneIsWithdrawn(t *testing.T) {
	for name, end := range map[string]func(*world){
		"in time":    func(w *world) { w.now = w.now.Add(cluster.MoveWithin) },
		"called off": func(w *world) { w.do(state.Move{Services: []cluster.ServiceID{web}}) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "n1", "n2")
			w.deploy("1", replicas(1))
			w.run()
			w.now = w.now.Add(time.Hour)
			w.run() // it is good
			w.leave("t001")
			w.decides("create 1 t002 g1 for t001")
			if want := w.now.Add(cluster.MoveWithin); !w.wake.Equal(want) {
				t.Errorf("wakes at %v, want %v", w.wake, want)
			}
			end(w)
			w.decides("stop t002: withdrawn: it stays on node n1, which it is not to leave any more")
			w.has("1 t001 g1 n1")
		})
	}
}

func TestAMoveWaitsForAnUpdate(t *testing.T) {
	w := newWorld(t, "n1", "n2")
	w.deploy("1", replicas(2))
	w.run()
	w.deploy("2", replicas(2))
	w.leave("t001")
	w.decides("create 1 t003 g2 for t001")
	w.agents()
	w.decides("stop t001: replaced: updated to generation 2", "create 2 t004 g2 for t002")
}

func TestATaskThatCannotLeaveHoldsUpNoOther(t *testing.T) {
	w := newWorld(t, "n1", "n2")
	w.deploy("1", replicas(2))
	w.run()
	w.leave("t001", "t002")
	w.opts.Stay = map[cluster.TaskID]bool{"t001": true}
	w.decides("create 2 t003 g1 for t002")
}

func TestMovesAMinute(t *testing.T) {
	w := newWorld(t, "n1", "n2", "n3")
	w.opts.MoveRate = 2
	spec := cluster.ServiceSpec{Mode: cluster.Replicated, Replicas: 1}
	first := spec
	stopFirst(&first)
	w.do(state.PutStack{Stack: "s", Services: []state.NamedSpec{{Name: "a", Spec: first}, {Name: "b", Spec: spec}, {Name: "c", Spec: spec}}})
	w.run()
	w.now = w.now.Add(time.Hour)
	w.run() // all are good
	w.leave("t001", "t002", "t003")
	w.decides("stop t001: it is to leave node n1: asked for", "create 1 t004 g1 for t002")
	w.agents()
	w.run()
	if third, _ := w.st.View().Task("t003"); third.Desired != cluster.Running {
		t.Fatal("the third left within the minute")
	}
	if want := w.now.Add(time.Minute); !w.wake.Equal(want) {
		t.Errorf("wakes at %v, want %v", w.wake, want)
	}
	w.now = w.wake
	w.decides("create 1 t006 g1 for t003")
}
