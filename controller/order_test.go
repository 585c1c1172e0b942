package controller

import (
	"testing"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

func prior(n int) func(*cluster.ServiceSpec) {
	return func(s *cluster.ServiceSpec) { s.Placement.Priority = &n }
}

// The one place that there is goes to whoever is first by the cluster's setting.
func TestDecidePlacesInTheOrderOfTheQueue(t *testing.T) {
	expects := func(d time.Duration) func(*cluster.ServiceSpec) {
		return func(s *cluster.ServiceSpec) { s.Placement.Expected = d }
	}
	ran := func(w *world) { // web's last run took a second
		w.deploy(map[string]cluster.ServiceSpec{"web": spec(1, 4000, func(s *cluster.ServiceSpec) { s.Template.Restart.Condition = cluster.RestartNever })})
		w.settle()
		task := w.wanted(web)[0]
		w.do(state.Observe{Node: task.Node, Tasks: []state.TaskObserved{{Task: task.ID, Observed: cluster.Observed{
			Phase: cluster.PhaseExited, Final: true, Started: t0, Finished: t0.Add(time.Second),
		}}}})
	}
	for name, tt := range map[string]struct {
		queue   cluster.QueueOrder
		before  func(*world)
		db, web cluster.ServiceSpec
		first   cluster.ServiceID
	}{
		"who came first":        {"", nil, spec(1, 4000), spec(1, 4000), db},
		"priority":              {"", nil, spec(1, 4000), spec(1, 4000, prior(55)), web},
		"priority of 0":         {"", nil, spec(1, 4000, prior(0)), spec(1, 4000), web},
		"not by expected time":  {"", nil, spec(1, 4000, expects(time.Hour)), spec(1, 4000, expects(time.Minute)), db},
		"expected time":         {cluster.QueueShortestJob, nil, spec(1, 4000, expects(time.Hour)), spec(1, 4000, expects(time.Minute)), web},
		"time of the last run":  {cluster.QueueShortestJob, ran, spec(1, 4000, expects(time.Minute)), spec(1, 4000), web},
		"priority before times": {cluster.QueueShortestJob, nil, spec(1, 4000, prior(51), expects(time.Hour)), spec(1, 4000, expects(time.Minute)), db},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, t0, "a")
			if tt.before != nil {
				tt.before(w)
			}
			if tt.queue != "" {
				w.do(state.Configure{Change: cluster.SettingsChange{Queue: &tt.queue}})
			}
			w.deploy(map[string]cluster.ServiceSpec{"db": tt.db, "web": tt.web})
			d := w.decide()
			for _, task := range d.Create {
				if placed := task.Node != ""; placed != (task.Service == tt.first) {
					t.Errorf("%s is on %q", task.Service, task.Node)
				}
			}
		})
	}
}

// The stack that has the least of its share goes first.
func TestDecidePlacesInFairShares(t *testing.T) {
	for name, tt := range map[string]struct {
		weights map[string]float64
		a, b    int
	}{"equal": {nil, 2, 2}, "three to one": {map[string]float64{"a": 3}, 3, 1}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, t0, "a")
			queue := cluster.QueueFair
			w.do(state.Configure{Change: cluster.SettingsChange{Queue: &queue, Weights: tt.weights}})
			for _, stack := range []string{"a", "b"} {
				w.do(state.PutStack{Stack: stack, Services: []state.NamedSpec{{Name: "web", Spec: spec(4, 1000)}}})
			}
			got := map[string]int{}
			for _, task := range w.decide().Create {
				if task.Node != "" {
					got[task.Service.Stack()]++
				}
			}
			if got["a"] != tt.a || got["b"] != tt.b {
				t.Errorf("placed %v, want %d and %d", got, tt.a, tt.b)
			}
		})
	}
}

// The cluster's policy is that of services that name none.
func TestDecideGoesByTheClustersPolicy(t *testing.T) {
	policy := cluster.PolicyBinpack
	for name, tt := range map[string]struct {
		own  cluster.Policy
		same bool
	}{"its own": {cluster.PolicySpread, false}, "the cluster's": {"", true}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, t0, "a", "b")
			w.do(state.Configure{Change: cluster.SettingsChange{Policy: &policy}})
			w.deploy(map[string]cluster.ServiceSpec{"web": spec(2, 500, func(s *cluster.ServiceSpec) { s.Placement.Policy = tt.own })})
			d := w.decide()
			if got := d.Create[0].Node == d.Create[1].Node; got != tt.same {
				t.Errorf("on one node: %t, want %t", got, tt.same)
			}
		})
	}
}
