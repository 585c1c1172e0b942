package controller

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
	"github.com/musterhq/muster/placement/preempt"
)

// leave has the agents stop what is to stop, but for the tasks of the service.
func (w *world) leave(but ...cluster.ServiceID) {
	w.t.Helper()
	for t := range w.st.View().Tasks() {
		stays := len(but) > 0 && t.Service == but[0]
		if t.Node != "" && t.Desired == cluster.Stopped && !t.Ended() && !stays {
			w.do(state.Observe{Node: t.Node, Tasks: []state.TaskObserved{{Task: t.ID, Observed: cluster.Observed{Phase: cluster.PhaseExited}}}})
		}
	}
}

// placed is how many of a service's wanted tasks have a node.
func (w *world) placed(id cluster.ServiceID) int {
	n := 0
	for _, t := range w.wanted(id) {
		if t.Node != "" {
			n++
		}
	}
	return n
}

func neverPreempts(s *cluster.ServiceSpec) { s.Placement.Preempt = cluster.PreemptNever }

// A task of a high priority takes the place of others, which wait for theirs.
func TestDecideEvicts(t *testing.T) {
	for name, tt := range map[string]struct {
		web     cluster.ServiceSpec // db's tasks have filled the node
		evicted int
	}{
		"one is enough":       {spec(1, 1000, prior(60)), 1},
		"two":                 {spec(1, 1500, prior(60)), 2},
		"for each":            {spec(2, 1000, prior(90)), 2},
		"all":                 {spec(1, 4000, prior(90)), 4},
		"too small a gap":     {spec(1, 1000, prior(59)), 0},
		"too large a task":    {spec(1, 5000, prior(90)), 0},
		"it preempts nobody":  {spec(1, 1000, prior(90), neverPreempts), 0},
		"it may be elsewhere": {spec(1, 1000, prior(90), constrained("node.hostname==b")), 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, t0, "a", "b")
			filled := spec(4, 1000, constrained("node.hostname==a"))
			onA := func(s cluster.ServiceSpec) cluster.ServiceSpec {
				if len(s.Template.Constraints) == 0 {
					s.Template.Constraints = []string{"node.hostname==a"}
				}
				return s
			}
			w.deploy(map[string]cluster.ServiceSpec{"db": filled})
			w.settle()
			w.runAll()
			w.deploy(map[string]cluster.ServiceSpec{"db": filled, "web": onA(tt.web)})
			w.do(w.decide().Reconcile) // the tasks are there, and wait
			d := w.decide()
			if len(d.Stop) != tt.evicted {
				t.Fatalf("stops %+v, want %d", d.Stop, tt.evicted)
			}
			for _, s := range d.Stop {
				want := fmt.Sprintf("preempted by s/web (priority %d)", tt.web.Placement.Rank())
				if victim, _ := w.st.View().Task(s.Task); victim.Service != db || s.Reason != want {
					t.Errorf("%s is stopped: %q", victim.Service, s.Reason)
				}
			}
			w.do(d.Reconcile)
			if tt.evicted == 0 {
				return
			}
			for range 3 { // nobody else is evicted while they leave
				w.settle()
				if got := w.placed(db); got != 4-tt.evicted {
					t.Fatalf("%d tasks of db have a node while others leave, want %d", got, 4-tt.evicted)
				}
				w.now = w.now.Add(time.Minute)
			}
			w.leave()
			w.settle()
			if got := w.placed(web); got != len(w.wanted(web)) {
				t.Errorf("%d tasks of web have a node", got)
			}
			if got := len(w.wanted(db)); got != 4 {
				t.Errorf("%d tasks of db are wanted, want 4: the evicted wait", got)
			}
		})
	}
}

// What some victims leave is kept until the last one has left, also from tasks
// that would fit in it.
func TestWhatVictimsLeaveIsKept(t *testing.T) {
	w := newWorld(t, t0, "a")
	first := map[string]cluster.ServiceSpec{"db": spec(2, 1000), "old": spec(2, 1000)}
	w.deploy(first)
	w.settle()
	w.runAll()
	first["web"] = spec(1, 4000, prior(80))
	w.deploy(first)
	w.settle()
	w.leave("s/old")
	w.settle()
	if n := w.placed(db) + w.placed("s/old") + w.placed(web); n != 0 {
		t.Errorf("%d tasks took what was left before all had", n)
	}
	evicted := 0
	for task := range w.st.View().Tasks() {
		if strings.HasPrefix(task.Reason, "preempted by ") {
			evicted++
		}
	}
	if evicted != 4 {
		t.Errorf("%d tasks were evicted, want the 4 that there were: others took their place", evicted)
	}
	w.leave()
	w.settle()
	if w.placed(web) != 1 {
		t.Error("who needs the room has not got it")
	}
}

// Where only somebody has to leave who does so anyway, nobody else is given room
// whom the one who waits would evict for it.
func TestWhoLeavesAnywayIsWaitedFor(t *testing.T) {
	w := newWorld(t, t0, "a")
	services := map[string]cluster.ServiceSpec{"db": spec(2, 1000, prior(10)), "old": spec(1, 1000)}
	w.deploy(services)
	w.settle()
	w.runAll()
	delete(services, "old")
	services["db"], services["web"] = spec(3, 1000, prior(10)), spec(1, 2000)
	w.deploy(services)
	w.settle()
	if n := w.placed(db); n != 2 {
		t.Errorf("%d tasks of db have a node while web waits for its room, want 2", n)
	}
	for task := range w.st.View().Tasks() {
		if strings.HasPrefix(task.Reason, "preempted by ") {
			t.Errorf("%s of %s was evicted", task.ID, task.Service)
		}
		if want := "waits for tasks that are leaving a"; task.Service == web && task.Reason != want {
			t.Errorf("web %q, want that it %s", task.Reason, want)
		}
	}
	w.leave()
	w.settle()
	if w.placed(web) != 1 || w.placed(db) != 2 {
		t.Errorf("web has %d tasks and db %d", w.placed(web), w.placed(db))
	}
}

// A victim's place is not needed any more when who waits for it is gone.
func TestAnEvictionThatIsNotNeededAnyMoreIsRefused(t *testing.T) {
	w := newWorld(t, t0, "a", "b")
	w.deploy(map[string]cluster.ServiceSpec{"db": spec(2, 4000)})
	w.settle()
	w.deploy(map[string]cluster.ServiceSpec{"db": spec(2, 4000), "web": spec(1, 1000, prior(80))})
	w.do(w.decide().Reconcile)
	stop := state.Reconcile{Stop: w.decide().Stop}
	for name, tt := range map[string]struct {
		do   state.Body
		want bool
	}{
		"it waits":                 {state.RemoveToken{ID: "tok"}, false},
		"it is stopped":            {state.Reconcile{Stop: []state.StopTask{{Task: stop.Stop[0].By, Reason: "scaled"}}}, true},
		"its priority is lower":    {w.put(spec(2, 4000), spec(1, 1000, prior(59))), true},
		"it is to preempt nobody":  {w.put(spec(2, 4000), spec(1, 1000, prior(80), neverPreempts)), true},
		"the victim's has changed": {w.put(spec(2, 4000, prior(51)), spec(1, 1000, prior(80))), true},
	} {
		t.Run(name, func(t *testing.T) {
			st := w.st.View().Fork()
			st.Apply(w.index+1, state.Command{At: w.now, Body: tt.do})
			if r := st.Apply(w.index+2, state.Command{At: w.now, Body: stop}); (len(r.Refused) == 1) != tt.want {
				t.Errorf("refused %v", r.Refused)
			}
		})
	}
}

// put deploys db and web.
func (w *world) put(db, web cluster.ServiceSpec) state.PutStack {
	return state.PutStack{Stack: "s", Services: []state.NamedSpec{{Name: "db", Spec: db}, {Name: "web", Spec: web}}}
}

// However priorities, rooms and deploys come, evictions come to an end, nobody is
// evicted for one who is not above him by the gap, and no task waits that could
// have the place of such ones.
func TestEvictionsEnd(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		draw := func(low, high int) int { return rapid.IntRange(low, high).Draw(rt, "n") }
		w := newWorld(t, t0, []string{"a", "b", "c"}[:draw(1, 3)]...)
		random := func() cluster.ServiceSpec {
			s := spec(draw(0, 5), int64(draw(0, 8))*500, prior(draw(0, 12)*8))
			s.Template.Reservations.Memory = int64(draw(0, 4)) << 29
			if draw(0, 4) == 0 {
				neverPreempts(&s)
			}
			if draw(0, 3) == 0 {
				s.Template.Ports = []cluster.Port{{Target: 80, Published: uint16(80 + draw(0, 1)), Protocol: "tcp", Mode: cluster.HostPort}}
			}
			if draw(0, 4) == 0 {
				s.Template.MaxPerNode = 1
			}
			if draw(0, 5) == 0 {
				s.Mode, s.Replicas = cluster.Global, 0
			}
			if draw(0, 3) == 0 {
				s.Update.Order = cluster.StopFirst
			}
			return s
		}
		for range draw(1, 3) {
			services := map[string]cluster.ServiceSpec{}
			for i := range draw(1, 5) {
				services[fmt.Sprintf("s%d", i)] = random()
			}
			w.deploy(services)
			w.untilQuiet(rt)
		}
		v := w.st.View()
		for task := range v.Unplaced() {
			if s, _ := v.Service(task.Service); task.Desired == cluster.Running && s.Spec.Placement.Preempt == "" {
				for n := range v.Nodes() {
					if w.couldEvict(task, s, n) {
						rt.Fatalf("%s of %s waits (%s), and could have a place on %s", task.ID, task.Service, task.Reason, n.ID)
					}
				}
			}
		}
	})
}

// untilQuiet decides, and has the agents do what they are told, some of them
// later, until nothing happens any more.
func (w *world) untilQuiet(rt *rapid.T) {
	for range 300 {
		d := w.decide()
		for _, s := range d.Stop {
			if by, ok := w.st.View().Task(s.By); s.By != "" && ok {
				victim, _ := w.st.View().Task(s.Task)
				if a, b := w.rank(victim), w.rank(by); a > b-preempt.Gap {
					rt.Fatalf("a task of priority %d is evicted for one of %d", a, b)
				}
			}
		}
		w.try(d.Reconcile)
		before := w.index
		for t := range w.st.View().Tasks() {
			seen := cluster.Observed{Phase: cluster.PhaseRunning}
			switch {
			case t.Node == "" || t.Ended() || t.Desired == cluster.Running && t.Ready() || rapid.IntRange(0, 2).Draw(rt, "busy") == 0 && !d.Empty():
				continue
			case t.Desired == cluster.Stopped:
				seen.Phase = cluster.PhaseExited
			}
			w.try(state.Observe{Node: t.Node, Tasks: []state.TaskObserved{{Task: t.ID, Observed: seen}}})
		}
		w.now = w.now.Add(time.Minute)
		if d.Empty() && w.index == before && d.Wake.Before(w.now) {
			return
		}
	}
	rt.Fatalf("evictions do not come to an end")
}

func (w *world) rank(t *cluster.Task) int {
	s, _ := w.st.View().Service(t.Service)
	return s.Spec.Placement.Rank()
}

// couldEvict says plainly whether the node would take the task without those that
// are below it.
func (w *world) couldEvict(task *cluster.Task, s *cluster.Service, n *cluster.Node) bool {
	free, same := n.Capacity, 0
	for o := range w.st.View().TasksOn(n.ID) {
		if !o.Holds() {
			continue
		}
		if o.Service == task.Service && o.ID != task.Replaces {
			same++
		}
		if w.rank(o) <= w.rank(task)-preempt.Gap {
			continue
		}
		free = free.Sub(o.Resources)
		for _, p := range o.HostPorts {
			for _, q := range task.HostPorts {
				if p.Published == q.Published {
					return false
				}
			}
		}
	}
	most := s.Spec.Template.MaxPerNode
	return task.Resources.Fits(free) && (most == 0 || same < most) && (task.Pinned == "" || task.Pinned == n.ID)
}

// Who leaves for whom is said before it happens.
func TestVictimsAreForetold(t *testing.T) {
	w := newWorld(t, t0, "a")
	w.do(state.PutStack{Stack: "o", Services: []state.NamedSpec{{Name: "db", Spec: spec(1, 4000)}}})
	w.settle()
	w.runAll()
	want := []api.Victim{{Service: "o/db", Slot: 1, Node: "a", By: "s/web", Priority: 80}}
	put := []state.NamedSpec{{Name: "web", Spec: spec(1, 1000, prior(80))}}
	f := w.foretell(put...)
	if d := cmp.Diff(want, f.Victims); d != "" || len(f.Tasks) != 1 || f.Tasks[0].Action != api.SlotStarts {
		t.Errorf("%+v, victims (-want +got):\n%s", f.Tasks, d)
	}
	sim, err := Foresee(t.Context(), w.st.View(), Facts{}, Scenario{Do: []state.Body{state.PutStack{Stack: "s", Services: put}}})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, sim.Victims); d != "" || len(sim.Pending) != 1 || sim.Pending[0].Service != "o/db" {
		t.Errorf("pending %+v, victims (-want +got):\n%s", sim.Pending, d)
	}
}
