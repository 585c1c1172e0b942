package controller

import (
	"testing"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

func TestFailures(t *testing.T) {
	ago := func(d time.Duration) time.Time { return t0.Add(-d) }
	for name, tt := range map[string]struct {
		task cluster.Task
		want int
	}{
		"runs":                        {cluster.Task{Observed: cluster.Observed{Phase: cluster.PhaseRunning}}, 0},
		"restarted":                   {cluster.Task{Observed: cluster.Observed{Phase: cluster.PhaseRunning, Restarts: 3, Finished: ago(time.Minute)}}, 3},
		"restarted long ago":          {cluster.Task{Observed: cluster.Observed{Phase: cluster.PhaseRunning, Restarts: 3, Finished: ago(failedFor)}}, 0},
		"gave up":                     {cluster.Task{Observed: cluster.Observed{Phase: cluster.PhaseExited, Final: true, ExitCode: 1, Restarts: 3, Finished: ago(0)}}, 4},
		"completed":                   {cluster.Task{Observed: cluster.Observed{Phase: cluster.PhaseExited, Final: true, Finished: ago(0)}}, 0},
		"unhealthy":                   {cluster.Task{FailedAt: ago(time.Minute)}, 1},
		"cannot be started":           {cluster.Task{FailedAt: ago(time.Minute), Observed: cluster.Observed{Phase: cluster.PhaseBackoff, Restarts: 6}}, 6},
		"stopped as it should":        {cluster.Task{Desired: cluster.Stopped, Observed: cluster.Observed{Phase: cluster.PhaseExited, Finished: ago(0)}}, 0},
		"could not be, some time ago": {cluster.Task{FailedAt: ago(time.Hour)}, 0},
	} {
		if got := failures(&tt.task, t0); got != tt.want {
			t.Errorf("%s: %d, want %d", name, got, tt.want)
		}
	}
}

// A node where a service failed over and over takes none of its new tasks for
// five minutes, as long as there are others; those of other services it takes.
func TestDecideBacksOffFromWhereAServiceFails(t *testing.T) {
	packed := func(s *cluster.ServiceSpec) { s.Placement.Policy = cluster.PolicyBinpack }
	for name, tt := range map[string]struct {
		service  cluster.ServiceID
		restarts int
		after    time.Duration
		same     bool
	}{
		"often":          {web, 5, time.Minute, false},
		"not often":      {web, 4, time.Minute, true},
		"long ago":       {web, 5, failedFor, true},
		"other services": {db, 5, time.Minute, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, t0, "a", "b")
			w.deploy(map[string]cluster.ServiceSpec{"web": spec(1, 500, packed)})
			w.settle()
			first := w.wanted(web)[0]
			w.do(state.Observe{Node: first.Node, Tasks: []state.TaskObserved{{Task: first.ID, Observed: cluster.Observed{
				Phase: cluster.PhaseBackoff, Restarts: tt.restarts, ExitCode: 1, Started: t0, Finished: t0,
			}}}})
			w.now = t0.Add(tt.after)
			w.do(state.PutStack{Stack: "s", Services: []state.NamedSpec{{Name: "db", Spec: spec(1, 500, packed)}, {Name: "web", Spec: spec(2, 500, packed)}}})
			w.settle()
			placed := w.wanted(tt.service)
			if got := placed[len(placed)-1].Node; (got == first.Node) != tt.same {
				t.Errorf("failed on %s, the next is on %s", first.Node, got)
			}
		})
	}
}
