package state

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/cluster"
)

const shop = cluster.ServiceID("s/web")

func (w *world) service() *cluster.Service {
	w.t.Helper()
	s, ok := w.View().Service(shop)
	if !ok {
		w.t.Fatal("the service is gone")
	}
	return s
}

func (w *world) put(version string) {
	w.t.Helper()
	w.must(PutStack{Stack: "s", Services: []NamedSpec{{"web", spec(version, 1)}}})
}

func (w *world) judge(generation uint64, o cluster.Outcome) {
	w.t.Helper()
	w.must(Reconcile{Verdicts: []Verdict{{Service: shop, Generation: generation, Outcome: o, Reason: "why"}}})
}

func (w *world) vouch(generation uint64) {
	w.t.Helper()
	w.must(Reconcile{Verdicts: []Verdict{{Service: shop, Generation: generation, Outcome: cluster.OutcomeGood, Past: true}}})
}

func TestVerdicts(t *testing.T) {
	type now struct {
		Generation uint64
		Release    cluster.Release
		From       uint64
	}
	good := cluster.Release{Outcome: cluster.OutcomeGood}
	for name, tc := range map[string]struct {
		do   func(w *world)
		want now
	}{
		"good": {func(w *world) { w.judge(1, cluster.OutcomeGood) }, now{1, cluster.Release{Outcome: cluster.OutcomeGood, Reason: "why"}, 0}},
		"of another generation": {func(w *world) {
			w.put("b")
			w.judge(1, cluster.OutcomeGood)
		}, now{2, cluster.Release{}, 0}},
		"the first one counts": {func(w *world) {
			w.judge(1, cluster.OutcomePaused)
			w.judge(1, cluster.OutcomeGood)
		}, now{1, cluster.Release{Outcome: cluster.OutcomePaused, Reason: "why"}, 0}},
		"failed, with nothing to return to": {func(w *world) { w.judge(1, cluster.OutcomeFailed) }, now{1, cluster.Release{}, 0}},
		"failed": {func(w *world) {
			w.judge(1, cluster.OutcomeGood)
			w.put("b")
			w.judge(2, cluster.OutcomeFailed)
		}, now{1, cluster.Release{Outcome: cluster.OutcomeGood, Reason: "why"}, 2}},
		"failed, with one that was left unjudged": {func(w *world) {
			w.put("b")
			w.put("c")
			w.vouch(2)
			w.vouch(1) // one is enough
			w.judge(3, cluster.OutcomeFailed)
		}, now{2, good, 3}},
		"what was judged stays so": {func(w *world) {
			w.judge(1, cluster.OutcomePaused)
			w.put("b")
			w.vouch(1)
			w.judge(2, cluster.OutcomeFailed)
		}, now{2, cluster.Release{}, 0}},
		"a return does not fail": {func(w *world) {
			w.judge(1, cluster.OutcomeGood)
			w.put("b")
			w.judge(2, cluster.OutcomeFailed)
			w.judge(1, cluster.OutcomeFailed)
			w.judge(1, cluster.OutcomeGood)
		}, now{1, good, 2}},
		"of a service that goes": {func(w *world) {
			w.must(RemoveStack{Stack: "s"})
			w.judge(1, cluster.OutcomeGood)
		}, now{1, cluster.Release{}, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "n1")
			w.put("a")
			tc.do(w)
			s := w.service()
			got := now{Generation: s.Generation, Release: s.Release}
			if s.Returned != nil {
				got.From = s.Returned.From
			}
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestReturnedServiceGoesOnWithANewNumber(t *testing.T) {
	w := newWorld(t, "n1")
	w.put("a")
	w.judge(1, cluster.OutcomeGood)
	w.put("b")
	w.judge(2, cluster.OutcomeFailed)
	if _, ok := w.service().Template(2); !ok {
		t.Error("the failed generation is not kept")
	}
	w.put("c")
	s := w.service()
	if s.Generation != 3 || s.Returned != nil {
		t.Errorf("generation %d, returned %v", s.Generation, s.Returned)
	}
	if g, ok := s.LastGood(); !ok || g.Number != 1 {
		t.Errorf("the last good generation is %d", g.Number)
	}
}

func TestLastGoodGenerationIsKept(t *testing.T) {
	w := newWorld(t, "n1")
	w.put("a")
	w.judge(1, cluster.OutcomeGood)
	for i := range 3 * KeepGenerations {
		w.put(fmt.Sprint(i))
	}
	if g, ok := w.service().LastGood(); !ok || g.Number != 1 {
		t.Errorf("the only good generation is gone: %+v", g)
	}
	if n := len(w.service().History); n != KeepGenerations-1 {
		t.Errorf("%d generations are kept", n)
	}
}

func TestMarks(t *testing.T) {
	crashed := cluster.Observed{Phase: cluster.PhaseBackoff, ExitCode: 1, Started: t0, Finished: t0.Add(time.Second)}
	up := cluster.Observed{Phase: cluster.PhaseRunning}
	for name, tc := range map[string]struct {
		marks  bool
		after  []time.Duration // between observations; each command takes another second
		see    []cluster.Observed
		ready  bool
		failed bool
	}{
		"nobody asked for them":        {false, []time.Duration{0, 1}, []cluster.Observed{up, crashed}, false, false},
		"ready":                        {true, []time.Duration{0}, []cluster.Observed{up}, true, false},
		"at once":                      {true, []time.Duration{0}, []cluster.Observed{crashed}, false, true},
		"soon":                         {true, []time.Duration{0, 3 * time.Second}, []cluster.Observed{up, crashed}, true, true},
		"later":                        {true, []time.Duration{0, 4 * time.Second}, []cluster.Observed{up, crashed}, true, true},
		"the engine has a moment":      {true, []time.Duration{28 * time.Second}, []cluster.Observed{{Phase: cluster.PhaseBackoff, Error: "busy"}}, false, false},
		"the engine never starts it":   {true, []time.Duration{29 * time.Second}, []cluster.Observed{{Phase: cluster.PhaseBackoff, Error: "busy"}}, false, true},
		"nobody has the image":         {true, []time.Duration{0}, []cluster.Observed{{Phase: cluster.PhaseBackoff, Error: "gone", NoImage: true}}, false, true},
		"it completed":                 {true, []time.Duration{0}, []cluster.Observed{{Phase: cluster.PhaseExited, Final: true}}, false, false},
		"a health check that goes on":  {true, []time.Duration{0}, []cluster.Observed{{Phase: cluster.PhaseRunning, Health: cluster.HealthStarting}}, false, false},
		"a health check that fails":    {true, []time.Duration{0}, []cluster.Observed{{Phase: cluster.PhaseRunning, Health: cluster.HealthUnhealthy}}, false, true},
		"a restart that nobody saw":    {true, []time.Duration{0}, []cluster.Observed{{Phase: cluster.PhaseRunning, Restarts: 1}}, true, true},
		"a restart before it is ready": {true, []time.Duration{0}, []cluster.Observed{{Phase: cluster.PhaseStarting, Restarts: 1}}, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "n1")
			w.put("a")
			w.must(Reconcile{Create: []cluster.Task{{ID: "1", Service: shop, Slot: 1, Generation: 1, Node: "n1"}}})
			for i, o := range tc.see {
				w.now = w.now.Add(tc.after[i])
				w.must(Observe{Node: "n1", Marks: tc.marks, Tasks: []TaskObserved{{"1", o}}})
			}
			task, _ := w.View().Task("1")
			if task.ReadyAt.IsZero() == tc.ready || task.FailedAt.IsZero() == tc.failed {
				t.Errorf("ready at %v, failed at %v", task.ReadyAt, task.FailedAt)
			}
		})
	}
}

// What becomes of a task after its monitor time counts as long as its update is open.
func TestMarksOfOpenUpdates(t *testing.T) {
	ended := func(after time.Duration) cluster.Observed {
		return cluster.Observed{Phase: cluster.PhaseBackoff, ExitCode: 137, Restarts: 1, Started: t0, Finished: t0.Add(after)}
	}
	nothing := func(*world) {}
	for name, tc := range map[string]struct {
		meanwhile func(*world)
		see       cluster.Observed
		failed    bool
	}{
		"its container ends soon after a start": {nothing, ended(59 * time.Second), true},
		"it had run for long":                   {nothing, ended(time.Minute), false},
		"it runs again":                         {nothing, cluster.Observed{Phase: cluster.PhaseRunning, Restarts: 1, Started: t0}, false},
		"the engine is busy":                    {nothing, cluster.Observed{Phase: cluster.PhaseBackoff, Error: "busy"}, false},
		"its health check fails":                {nothing, cluster.Observed{Phase: cluster.PhaseRunning, Health: cluster.HealthUnhealthy}, true},
		"its agent gives up":                    {nothing, cluster.Observed{Phase: cluster.PhaseExited, Final: true, ExitCode: 1}, true},
		"its generation is good by then":        {func(w *world) { w.judge(1, cluster.OutcomeGood) }, ended(time.Second), false},
		"its generation is left by then":        {func(w *world) { w.put("b") }, ended(time.Second), false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "n1")
			w.put("a")
			w.must(Reconcile{Create: []cluster.Task{{ID: "1", Service: shop, Slot: 1, Generation: 1, Node: "n1"}}})
			w.must(Observe{Node: "n1", Marks: true, Tasks: []TaskObserved{{"1", cluster.Observed{Phase: cluster.PhaseRunning}}}})
			tc.meanwhile(w)
			w.now = w.now.Add(time.Hour)
			w.must(Observe{Node: "n1", Marks: true, Tasks: []TaskObserved{{"1", tc.see}}})
			if task, _ := w.View().Task("1"); task.FailedAt.IsZero() == tc.failed {
				t.Errorf("failed at %v", task.FailedAt)
			}
		})
	}
}
