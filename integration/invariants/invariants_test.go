package invariants

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
	"github.com/musterhq/muster/lb"
)

var t0 = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// world is a cluster of two nodes with one service of two replicas, each test
// with its own change.
type world struct {
	nodes []*cluster.Node
	web   *cluster.Service
	tasks []*cluster.Task
	hosts []Host
}

func newWorld() *world {
	w := &world{web: &cluster.Service{ID: "s/web", Generation: 2}}
	w.web.Spec = cluster.ServiceSpec{Mode: cluster.Replicated, Replicas: 2}
	w.web.Spec.Template.Reservations = cluster.Resources{MilliCPU: 600}
	for _, id := range []cluster.NodeID{"n1", "n2"} {
		w.nodes = append(w.nodes, &cluster.Node{
			ID: id, Name: string(id), Capacity: cluster.Resources{MilliCPU: 1000, Memory: 1 << 30},
			Availability: cluster.Active, Condition: cluster.Ready, ConditionSince: t0,
		})
		w.hosts = append(w.hosts, Host{Node: id, Connected: true})
	}
	w.run("t1", 1, "n1")
	w.run("t2", 2, "n2")
	return w
}

// task adds a task of the service that is placed.
func (w *world) task(id cluster.TaskID, slot int, node cluster.NodeID) *cluster.Task {
	t := &cluster.Task{
		ID: id, Service: w.web.ID, Slot: slot, Generation: 2, Node: node, Desired: cluster.Running,
		Resources: w.web.Spec.Template.Reservations,
	}
	w.tasks = append(w.tasks, t)
	return t
}

// run adds a task that runs, with its container.
func (w *world) run(id cluster.TaskID, slot int, node cluster.NodeID) *cluster.Task {
	t := w.task(id, slot, node)
	t.Observed = cluster.Observed{Phase: cluster.PhaseRunning}
	for i := range w.hosts {
		if w.hosts[i].Node == node {
			w.hosts[i].Containers = append(w.hosts[i].Containers, Container{ID: "c-" + string(id), Task: id})
		}
	}
	return t
}

func (w *world) facts() *Facts { return NewFacts(w.nodes, []*cluster.Service{w.web}, w.tasks) }

// copy is the world as it is now, unmoved by later changes.
func (w *world) copy() *Facts {
	c := *w
	c.nodes, c.tasks = nil, nil
	for _, n := range w.nodes {
		m := *n
		c.nodes = append(c.nodes, &m)
	}
	for _, t := range w.tasks {
		u := *t
		c.tasks = append(c.tasks, &u)
	}
	web := *w.web
	c.web = &web
	return c.facts()
}

func rules(list []Violation) []Rule {
	var out []Rule
	for _, v := range list {
		if !slices.Contains(out, v.Rule) {
			out = append(out, v.Rule)
		}
	}
	return out
}

func check(t *testing.T, got []Violation, want ...Rule) {
	t.Helper()
	if d := cmp.Diff(want, rules(got), cmpopts.EquateEmpty()); d != "" {
		t.Errorf("rules (-want +got):\n%s%v", d, got)
	}
}

func TestSafety(t *testing.T) {
	port := []cluster.Port{{Target: 80, Published: 80, Protocol: "tcp", Mode: cluster.HostPort}}
	for name, tc := range map[string]struct {
		change func(w *world)
		want   []Rule
	}{
		"all is well": {change: func(*world) {}},
		"a device twice": {func(w *world) {
			w.web.Spec.Template.Devices = []cluster.DeviceRequest{{Kind: "gpu", Milli: 600}}
			for _, task := range w.tasks {
				task.Node, task.Resources.MilliCPU = "n1", 400
				task.Devices = []cluster.DeviceShare{{Kind: "gpu", ID: "a", Milli: 600}}
			}
			w.web.Spec.Template.Reservations.MilliCPU = 400
		}, []Rule{Overcommit}},
		"a full node": {func(w *world) { w.task("t3", 3, "n1") }, []Rule{Overcommit}},
		"what the task itself says does not count": {
			func(w *world) { w.task("t3", 3, "n1").Resources = cluster.Resources{} }, []Rule{Overcommit},
		},
		"an ended task holds nothing": {change: func(w *world) {
			w.task("t3", 3, "n1").Observed = cluster.Observed{Phase: cluster.PhaseExited, Final: true}
		}},
		"two holders of a port": {
			func(w *world) {
				w.web.Spec.Template.Reservations = cluster.Resources{}
				w.tasks[0].HostPorts = port
				w.task("t3", 3, "n1").HostPorts = port
			},
			[]Rule{PortTwice},
		},
		"a successor that replaces the holder": {change: func(w *world) { w.task("t3", 1, "").Replaces = "t1" }},
		"two holders of a slot":                {func(w *world) { w.task("t3", 1, "") }, []Rule{SeatTwice}},
		"three in a slot": {func(w *world) {
			w.task("t3", 1, "").Replaces = "t1"
			w.task("t4", 1, "").Replaces = "t1"
		}, []Rule{SeatTwice}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			tc.change(w)
			check(t, Safety(w.facts()), tc.want...)
		})
	}
}

// lying records other sums than its tasks hold.
type lying struct{ *Facts }

func (l lying) Allocated(cluster.NodeID) state.Allocation { return state.Allocation{Tasks: 7} }

func TestSafetyComparesTheSums(t *testing.T) {
	check(t, Safety(lying{newWorld().facts()}), WrongSums)
}

func TestHostSafety(t *testing.T) {
	port := func(ip string) []cluster.Port { return []cluster.Port{{Published: 80, Protocol: "tcp", HostIP: ip}} }
	h := Host{Node: "n1", Containers: []Container{{Task: "a", Ports: port("10.0.0.1")}, {Task: "b", Ports: port("10.0.0.2")}}}
	check(t, HostSafety(h))
	h.Containers[1].Ports = port("")
	check(t, HostSafety(h), PortTwice)
}

// A healthy task may be stopped for one that waits and is important enough.
func TestStepWithPriorities(t *testing.T) {
	for name, tt := range map[string]struct {
		priority int
		preempt  cluster.Preempt
		node     cluster.NodeID
		want     []Rule
	}{
		"for one of a higher priority": {priority: 60},
		"not high enough":              {priority: 59, want: []Rule{StoppedSoon}},
		"that evicts nobody":           {priority: 60, preempt: cluster.PreemptNever, want: []Rule{StoppedSoon}},
		"that has a node":              {priority: 60, node: "n2", want: []Rule{StoppedSoon}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			by := &cluster.Service{ID: "s/by", Generation: 2}
			by.Spec.Placement = cluster.Placement{Priority: &tt.priority, Preempt: tt.preempt}
			w.task("t3", 1, tt.node).Service = by.ID
			services := []*cluster.Service{w.web, by}
			before := NewFacts(w.nodes, services, slices.Clone(w.tasks))
			stopped := *w.tasks[0]
			stopped.Desired = cluster.Stopped
			w.tasks[0] = &stopped
			check(t, Step(before, NewFacts(w.nodes, services, w.tasks), "t1", nil), tt.want...)
		})
	}
}

func TestStep(t *testing.T) {
	successor := func(w *world, ready bool) {
		s := w.task("t3", 1, "n2")
		s.Replaces = "t1"
		if ready {
			s.Observed.Phase = cluster.PhaseRunning
		}
	}
	stop := func(w *world) { w.tasks[0].Desired = cluster.Stopped }
	for name, tc := range map[string]struct {
		before, after func(w *world)
		want          []Rule
	}{
		"nothing":                    {after: func(*world) {}},
		"stopped for nothing":        {after: stop, want: []Rule{StoppedSoon}},
		"stopped before it was well": {before: func(w *world) { w.tasks[0].Observed.Phase = cluster.PhaseStarting }, after: stop},
		"stopped for an update without a successor": {after: func(w *world) { w.web.Generation = 3; stop(w) }, want: []Rule{StoppedSoon}},
		"stopped with its successor": {
			before: func(w *world) { successor(w, false) },
			after:  func(w *world) { w.web.Generation = 3; stop(w) }, want: []Rule{StoppedSoon},
		},
		"stopped when its successor is ready": {before: func(w *world) { successor(w, true) }, after: func(w *world) { w.web.Generation = 3; stop(w) }},
		"stopped when the successor's node is down": {
			before: func(w *world) { successor(w, true); w.nodes[1].Condition = cluster.Down },
			after:  func(w *world) { w.web.Generation = 3; stop(w) }, want: []Rule{StoppedSoon},
		},
		"an update that stops first":   {after: func(w *world) { w.web.Generation = 3; w.web.Spec.Update.Order = cluster.StopFirst; stop(w) }},
		"an update that starts first":  {after: func(w *world) { w.web.Generation = 3; w.web.Spec.Update.Order = cluster.StartFirst; stop(w) }, want: []Rule{StoppedSoon}},
		"a drain without a successor":  {after: func(w *world) { w.nodes[0].Availability = cluster.Drained; stop(w) }, want: []Rule{StoppedSoon}},
		"its node is down":             {after: func(w *world) { w.nodes[0].Condition = cluster.Down; stop(w) }},
		"its node is away":             {after: func(w *world) { w.nodes[0].Condition = cluster.Away; stop(w) }, want: []Rule{StoppedSoon}},
		"scaled down":                  {after: func(w *world) { w.web.Spec.Replicas = 0; stop(w) }},
		"removed":                      {after: func(w *world) { w.web.Removing = true; stop(w) }},
		"wanted again":                 {before: stop, after: func(w *world) { w.tasks[0].Desired = cluster.Running }, want: []Rule{MovedBack}},
		"moved to another node":        {after: func(w *world) { w.tasks[0].Node = "n2" }, want: []Rule{MovedBack}},
		"vanished":                     {after: func(w *world) { w.tasks = w.tasks[1:] }, want: []Rule{MovedBack}},
		"vanished from a dead node":    {after: func(w *world) { w.nodes[0].Condition = cluster.Down; w.tasks = w.tasks[1:] }},
		"vanished after it had ended":  {before: func(w *world) { w.tasks[0].Observed = cluster.Observed{Phase: cluster.PhaseExited, Final: true} }, after: func(w *world) { w.tasks = w.tasks[1:] }},
		"restarted less often":         {before: func(w *world) { w.tasks[0].Observed.Restarts = 3 }, after: func(w *world) { w.tasks[0].Observed.Restarts = 2 }, want: []Rule{MovedBack}},
		"ran again after it had ended": {before: func(w *world) { w.tasks[0].Observed = cluster.Observed{Phase: cluster.PhaseExited, Final: true} }, after: func(w *world) { w.tasks[0].Observed = cluster.Observed{Phase: cluster.PhaseRunning} }, want: []Rule{MovedBack}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			if tc.before != nil {
				tc.before(w)
			}
			before := w.copy()
			tc.after(w)
			check(t, Step(before, w.facts(), "t1", nil), tc.want...)
			check(t, Step(before, w.facts(), "t1", func(*cluster.Task) bool { return false }), slices.DeleteFunc(slices.Clone(tc.want), func(r Rule) bool { return r == StoppedSoon })...)
		})
	}
}

func TestPlaced(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(w *world, placed *cluster.Task)
		want   []Rule
	}{
		"anywhere":              {change: func(*world, *cluster.Task) {}},
		"on another's node":     {func(_ *world, p *cluster.Task) { p.Pinned = "n1" }, []Rule{WrongPlace}},
		"against a constraint":  {func(w *world, _ *cluster.Task) { w.web.Spec.Template.Constraints = []string{"node.name==n1"} }, []Rule{WrongPlace}},
		"on a cordoned node":    {func(w *world, _ *cluster.Task) { w.nodes[1].Availability = cluster.Cordoned }, []Rule{WrongPlace}},
		"one too many there":    {func(w *world, _ *cluster.Task) { w.web.Spec.Template.MaxPerNode = 1 }, []Rule{WrongPlace}},
		"in place of one there": {change: func(w *world, p *cluster.Task) { w.web.Spec.Template.MaxPerNode = 1; p.Replaces = "t2" }},
		"beside a pair, which counts once": {change: func(w *world, _ *cluster.Task) {
			w.web.Spec.Template.MaxPerNode = 2
			w.task("t4", 2, "n2").Replaces = "t2"
		}},
		"beside one of another generation that came with it": {change: func(w *world, _ *cluster.Task) {
			w.web.Spec.Template.MaxPerNode = 2
			w.web.History = []cluster.Generation{{Number: 7}}
			w.task("t4", 4, "n2").Generation = 7
		}},
		"one of two allowed there": {change: func(w *world, _ *cluster.Task) { w.web.Spec.Template.MaxPerNode = 2 }},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			placed := w.task("t3", 3, "n2")
			tc.change(w, placed)
			after := w.copy()
			placed.Node = ""
			if with := w.tasks[len(w.tasks)-1]; with.Generation == 7 {
				with.Node = ""
			}
			check(t, Placed(w.facts(), w.facts(), after, "t3"), tc.want...)
			check(t, Placed(after, after, after, "t3")) // it was there before
		})
	}
}

func TestUnwanted(t *testing.T) {
	w := newWorld()
	check(t, Unwanted(w.facts(), "n1", "t1", false), StoppedSoon)
	check(t, Unwanted(w.facts(), "n1", "t1", true))
	check(t, Unwanted(w.facts(), "n1", "unknown", false))
	w.tasks[0].Desired = cluster.Stopped
	check(t, Unwanted(w.facts(), "n1", "t1", false))
}

func TestQuiet(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(w *world)
		want   []Rule
	}{
		"all is well":                                  {change: func(*world) {}},
		"a slot is empty":                              {func(w *world) { w.web.Spec.Replicas = 3 }, []Rule{NotSettled}},
		"one replica too many":                         {func(w *world) { w.web.Spec.Replicas = 1 }, []Rule{NotSettled}},
		"no container":                                 {func(w *world) { w.hosts[0].Containers = nil }, []Rule{NotSettled}},
		"two containers":                               {func(w *world) { w.hosts[0].Containers = slices.Repeat(w.hosts[0].Containers, 2) }, []Rule{NotSettled}},
		"a container of another node":                  {func(w *world) { w.tasks[0].Node = "n2" }, []Rule{NotSettled}},
		"not ready":                                    {func(w *world) { w.tasks[0].Observed.Health = cluster.HealthUnhealthy }, []Rule{NotSettled}},
		"an old generation":                            {func(w *world) { w.web.Generation = 3 }, []Rule{NotSettled}},
		"left on a drained node":                       {func(w *world) { w.nodes[0].Availability = cluster.Drained }, []Rule{NotSettled}},
		"still being removed":                          {func(w *world) { w.web.Removing = true }, []Rule{NotSettled}},
		"a living host called down":                    {func(w *world) { w.nodes[0].Condition = cluster.Down }, []Rule{NotSettled}},
		"a dead host called ready":                     {func(w *world) { w.hosts[0].Connected = false }, []Rule{NotSettled}},
		"an ended container":                           {change: func(w *world) { w.hosts[0].Ended = []cluster.ServiceID{"s/web"} }},
		"an ended container of a service that is gone": {func(w *world) { w.hosts[0].Ended = []cluster.ServiceID{"s/db"} }, []Rule{NotSettled}},
		"pending with a true reason": {change: func(w *world) {
			w.web.Spec.Replicas = 3
			w.task("t3", 3, "").Reason = "no room"
		}},
		"pending without a reason": {func(w *world) {
			w.web.Spec.Replicas = 3
			w.task("t3", 3, "")
		}, []Rule{FalseReason}},
		"pending although it fits": {func(w *world) {
			w.web.Spec.Replicas = 3
			w.nodes[0].Capacity.MilliCPU = 2000
			w.task("t3", 3, "").Reason = "no room"
		}, []Rule{FalseReason}},
		"pending with room, but on no single device": {change: func(w *world) {
			w.web.Spec.Replicas = 3
			w.web.Spec.Template.Devices = []cluster.DeviceRequest{{Kind: "gpu", Milli: 700}}
			n := w.nodes[0]
			n.Capacity.MilliCPU, n.Capacity.MilliGPU = 2000, 2000
			n.Devices = []cluster.HostDevice{{Kind: "gpu", ID: "0"}, {Kind: "gpu", ID: "1"}}
			w.tasks[0].Devices = []cluster.DeviceShare{{Kind: "gpu", ID: "0", Milli: 600}, {Kind: "gpu", ID: "1", Milli: 600}}
			w.task("t3", 3, "").Reason = "no device of kind gpu has 0.7 of it free"
		}},
		"a successor that fits nowhere excuses a drained node": {change: func(w *world) {
			w.nodes[0].Availability = cluster.Drained
			s := w.task("t3", 1, "")
			s.Replaces, s.Reason = "t1", "no room"
		}},
		"a failure that is not tried again excuses an update": {change: func(w *world) {
			w.web.Generation, w.web.Spec.Template.Restart.Condition = 3, cluster.RestartNever
			s := w.task("t3", 1, "n2")
			s.Generation, s.Replaces = 3, "t1"
			s.Observed = cluster.Observed{Phase: cluster.PhaseExited, Final: true, ExitCode: 1}
			w.web.History = []cluster.Generation{{Number: 2, Template: w.web.Spec.Template}}
		}},
		"an earlier generation is done where a canary leaves it": {change: func(w *world) { w.canary(cluster.RestartOnFailure, 0) }},
		"it has given up for good":                               {change: func(w *world) { w.canary(cluster.RestartNever, 1) }},
		"it cannot work": {change: func(w *world) {
			w.canary("", 1)
			w.web.History[0].Template.Container.Image.Ref = broken
		}},
		"nor can its successor": {change: func(w *world) {
			w.canary("", 1)
			w.web.History[0].Template.Container.Image.Ref = broken
			w.tasks[1].Observed = cluster.Observed{Phase: cluster.PhaseBackoff}
			s := w.task("t3", 2, "n1")
			s.Generation, s.Replaces, s.Observed = 2, "t2", w.tasks[1].Observed
		}},
		"it cannot work and stays where the canary is": {func(w *world) {
			w.canary("", 1)
			w.web.History[0].Template.Container.Image.Ref = broken
			w.tasks[1].Observed = cluster.Observed{Phase: cluster.PhaseBackoff}
			s := w.run("t3", 2, "n1")
			s.Generation, s.Replaces = 3, "t2"
		}, []Rule{NotSettled}},
		"it has a successor": {func(w *world) {
			w.canary("", 1)
			w.tasks[1].Observed = cluster.Observed{Phase: cluster.PhaseBackoff}
			s := w.task("t3", 2, "n1")
			s.Generation, s.Replaces, s.Observed = 2, "t2", w.tasks[1].Observed
		}, []Rule{NotSettled}},
		"it is to be tried again": {func(w *world) { w.canary(cluster.RestartOnFailure, 1) }, []Rule{NotSettled}},
		"it was stopped": {func(w *world) {
			w.canary(cluster.RestartOnFailure, 0)
			w.tasks[1].Desired = cluster.Stopped
		}, []Rule{NotSettled}},
		"it is over and no canary leaves it": {func(w *world) {
			w.canary(cluster.RestartNever, 0)
			w.web.Release = cluster.Release{}
		}, []Rule{NotSettled}},
		"it is over where the canary was": {func(w *world) {
			w.canary(cluster.RestartNever, 0)
			w.task("t3", 2, "n2").Generation = 3
			w.tasks[2].Observed = cluster.Observed{Phase: cluster.PhaseExited, Final: true, ExitCode: 1}
		}, []Rule{NotSettled}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			tc.change(w)
			works := func(tpl *cluster.Template) bool { return tpl.Container.Image.Ref != broken }
			q := Quiet{State: w.facts(), Hosts: w.hosts, Works: works}
			check(t, q.Violations(), tc.want...)
		})
	}
}

// broken is the image of containers that do not work.
const broken = "broken"

// canary gives slot 1 to a canary; what slot 2 had before has ended under the
// given restart policy.
func (w *world) canary(c cluster.RestartCondition, code int) {
	was := w.web.Spec.Template
	was.Restart.Condition = c
	w.web.History = []cluster.Generation{{Number: 2, Template: was}}
	w.web.Generation, w.web.Release.Canary = 3, 1
	w.tasks[0].Generation = 3
	w.tasks[1].Observed = cluster.Observed{Phase: cluster.PhaseExited, Final: true, ExitCode: code}
	w.hosts[1].Containers = nil
}

func TestQuietGlobal(t *testing.T) {
	w := newWorld()
	w.web.Spec.Mode, w.web.Spec.Replicas = cluster.Global, 0
	w.tasks[0].Pinned, w.tasks[1].Pinned = "n1", "n2"
	q := func() []Violation {
		return Quiet{State: w.facts(), Hosts: w.hosts, Works: func(*cluster.Template) bool { return true }}.Violations()
	}
	check(t, q())
	w.nodes[0].Availability = cluster.Drained
	check(t, q(), NotSettled)
	w.nodes[0].Availability = cluster.Active
	w.tasks, w.hosts[0].Containers = w.tasks[1:], nil
	check(t, q(), NotSettled)
	w.nodes[0].Availability = cluster.Cordoned
	check(t, q())
}

func TestPromises(t *testing.T) {
	var p Promises
	w := newWorld()
	p.Deployed("s/web", 2)
	check(t, p.Kept(w.facts()))
	p.Deployed("s/web", 3)
	check(t, p.Kept(w.facts()), LostWork)
	w.web.Generation = 4
	check(t, p.Kept(w.facts()))
	w.web.Removing = true
	check(t, p.Kept(w.facts()), LostWork)
	p.Removing("s/web")
	check(t, p.Kept(w.facts()))
}

func TestTableLeadsToTheDeadForASecondAtMost(t *testing.T) {
	w := newWorld()
	table := &lb.Table{Frontends: []lb.Frontend{{Service: "s/web", Backends: []lb.Backend{{Task: "t1"}}}}}
	var d Dead
	saw := func(at time.Time, node cluster.Condition) { d.Saw("t1", w.tasks[0], node, at) }
	saw(t0, cluster.Ready)
	check(t, d.InTable("n2", table, t0.Add(time.Minute)))
	saw(t0, cluster.Down)
	saw(t0.Add(time.Second), cluster.Down)
	check(t, d.InTable("n2", table, t0.Add(time.Second)))
	check(t, d.InTable("n2", table, t0.Add(time.Second+1)), StaleTable)
	saw(t0.Add(2*time.Second), cluster.Ready)
	check(t, d.InTable("n2", table, t0.Add(time.Minute)))
}

func TestRefilled(t *testing.T) {
	w := newWorld()
	w.nodes[0].Condition = cluster.Down
	late := t0.Add(RefillGrace + time.Second)
	check(t, Refilled(w.facts(), t0.Add(time.Second)))
	check(t, Refilled(w.facts(), late), NotRefilled)
	w.task("t3", 1, "").Replaces = "t1"
	check(t, Refilled(w.facts(), late))
	w.tasks = w.tasks[:2]
	w.web.Spec.Mode = cluster.Global
	check(t, Refilled(w.facts(), late))
}
