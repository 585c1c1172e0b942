package controller

import (
	"strings"
	"testing"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

func dependingOn(name string, c cluster.DependCondition, optional bool) func(*cluster.ServiceSpec) {
	return func(s *cluster.ServiceSpec) {
		s.DependsOn = append(s.DependsOn, cluster.Dependency{Service: name, Condition: c, Optional: optional})
	}
}

// see has the task of a service observed so.
func (w *world) see(service cluster.ServiceID, o cluster.Observed) {
	w.t.Helper()
	for t := range w.st.View().TasksOf(service) {
		w.do(state.Observe{Node: t.Node, Tasks: []state.TaskObserved{{Task: t.ID, Observed: o}}, Marks: true})
	}
}

// started are the tasks of a service that have a node, and what the rest waits for.
func (w *world) started(service cluster.ServiceID) (n int, reason string) {
	for t := range w.st.View().TasksOf(service) {
		if t.Node != "" {
			n++
		} else {
			reason = t.Reason
		}
	}
	return n, reason
}

func TestServicesStartInTurn(t *testing.T) {
	running := cluster.Observed{Phase: cluster.PhaseRunning}
	starting := cluster.Observed{Phase: cluster.PhaseRunning, Health: cluster.HealthStarting}
	healthy := cluster.Observed{Phase: cluster.PhaseRunning, Health: cluster.HealthHealthy}
	done := cluster.Observed{Phase: cluster.PhaseExited, Final: true}
	failed := cluster.Observed{Phase: cluster.PhaseExited, Final: true, ExitCode: 1}
	for name, tt := range map[string]struct {
		condition cluster.DependCondition
		db        cluster.Observed
		waits     string // "": it starts
	}{
		"not begun":                 {cluster.DependStarted, cluster.Observed{Phase: cluster.PhasePulling}, "waits for service s/db to start"},
		"begun":                     {cluster.DependStarted, starting, ""},
		"no condition":              {"", running, ""},
		"not yet healthy":           {cluster.DependHealthy, starting, "waits for service s/db to be healthy"},
		"healthy":                   {cluster.DependHealthy, healthy, ""},
		"runs and nothing checks":   {cluster.DependHealthy, running, ""},
		"runs, but is to complete":  {cluster.DependCompleted, running, "waits for service s/db to complete"},
		"completed":                 {cluster.DependCompleted, done, ""},
		"failed, is to complete":    {cluster.DependCompleted, failed, "waits for service s/db to complete"},
		"completed, is to be there": {cluster.DependHealthy, done, "waits for service s/db to be healthy"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, time.Unix(1_700_000_000, 0), "n1", "n2")
			w.deploy(map[string]cluster.ServiceSpec{
				"db":  spec(1, 100, func(s *cluster.ServiceSpec) { s.Template.Restart.Condition = cluster.RestartNever }),
				"web": spec(2, 100, dependingOn("db", tt.condition, false)),
			})
			w.try(w.decide().Reconcile)
			if n, reason := w.started("s/web"); n != 0 || !strings.HasPrefix(reason, "waits for service s/db") {
				t.Fatalf("%d tasks started at once, the others: %q", n, reason)
			}
			if n, _ := w.started("s/db"); n != 1 {
				t.Fatal("db waits as well")
			}
			w.see("s/db", tt.db)
			w.try(w.decide().Reconcile)
			n, reason := w.started("s/web")
			if (n == 2) != (tt.waits == "") || tt.waits != "" && reason != tt.waits {
				t.Errorf("%d of 2 started, the others: %q; want %q", n, reason, tt.waits)
			}
			if d := w.decide(); !d.Empty() && tt.waits != "" {
				t.Errorf("a second decision: %+v", d.Reconcile)
			}
		})
	}
}

// What ran once waits for nobody: an outage of the one is none of the other.
func TestServicesThatRanWaitNoMore(t *testing.T) {
	w := newWorld(t, time.Unix(1_700_000_000, 0), "n1", "n2", "n3")
	w.deploy(map[string]cluster.ServiceSpec{"db": spec(1, 100), "web": spec(1, 100, dependingOn("db", cluster.DependHealthy, false))})
	w.try(w.decide().Reconcile)
	w.see("s/db", cluster.Observed{Phase: cluster.PhaseRunning})
	w.try(w.decide().Reconcile)
	w.see("s/web", cluster.Observed{Phase: cluster.PhaseRunning})
	w.see("s/db", cluster.Observed{Phase: cluster.PhaseRunning, Health: cluster.HealthUnhealthy})
	w.do(state.Scale{Service: "s/web", Replicas: 3})
	w.try(w.decide().Reconcile)
	if n, reason := w.started("s/web"); n != 3 {
		t.Errorf("%d of 3 run, the others: %q", n, reason)
	}
}

func TestDependencyThatIsNotThere(t *testing.T) {
	for name, optional := range map[string]bool{"it waits": false, "not where it is optional": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, time.Unix(1_700_000_000, 0), "n1")
			w.deploy(map[string]cluster.ServiceSpec{"web": spec(1, 100, dependingOn("db", cluster.DependHealthy, optional))})
			w.try(w.decide().Reconcile)
			if n, reason := w.started("s/web"); (n == 1) != optional || !optional && !strings.Contains(reason, "is not there") {
				t.Errorf("%d run, %q", n, reason)
			}
		})
	}
}
