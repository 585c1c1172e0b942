package state

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/cluster"
)

// historyOf are the kept events of an object: action, count, message.
func historyOf(v View, object string) []string {
	var out []string
	for e := range v.Events(0) {
		if e.Object == object {
			out = append(out, strings.TrimSpace(fmt.Sprintf("%s %d %s", e.Action, e.Count, e.Message)))
		}
	}
	return out
}

// crash is one round of containers that do not last.
func (w *world) crash(round int, repeats bool, tasks ...cluster.Task) {
	w.t.Helper()
	for _, o := range []cluster.Observed{
		{Phase: cluster.PhaseStarting, Restarts: round},
		{Phase: cluster.PhaseRunning, Restarts: round},
		{Phase: cluster.PhaseBackoff, Restarts: round, Error: fmt.Sprintf("exit code %d", round%3+1)},
	} {
		seen := Observe{Node: "n1", Repeats: repeats}
		for _, t := range tasks {
			seen.Tasks = append(seen.Tasks, TaskObserved{t.ID, o})
		}
		w.must(seen)
	}
}

func TestCrashLoopsLeaveTheHistory(t *testing.T) {
	const loops = 10
	w := newWorld(t, "n1")
	w.must(PutStack{Stack: "other", Services: []NamedSpec{{"db", spec("db", 1)}}})
	w.must(PutStack{Stack: "s", Services: []NamedSpec{{"web", spec("web", loops)}}})
	var tasks []cluster.Task
	for i := range loops {
		tasks = append(tasks, task(fmt.Sprintf("t%d", i), i+1, "n1", 0))
	}
	w.must(Reconcile{Create: tasks})
	w.crash(0, true, tasks...)
	began := w.now
	for round := 1; w.now.Sub(began) < time.Hour; round++ {
		w.crash(round, true, tasks...)
	}
	rounds := 0
	for e := range w.View().Events(0) {
		rounds = max(rounds, e.Count)
	}
	if 3*loops*rounds < 2*KeepEvents {
		t.Fatalf("%d rounds would not fill the history", rounds)
	}
	if d := cmp.Diff([]string{"created 0"}, historyOf(w.View(), "other/db")); d != "" {
		t.Errorf("another service's events: %s", d)
	}
	want := []string{
		"created 0", "starting 0", "running 0", "backoff 0 exit code 1",
		fmt.Sprintf("starting %d", rounds), fmt.Sprintf("running %d", rounds), fmt.Sprintf("backoff %d exit code %d", rounds, rounds%3+1),
	}
	if d := cmp.Diff(want, historyOf(w.View(), "t0")); d != "" {
		t.Errorf("a crash loop's events: %s", d)
	}
	last := w.View().LastEvents(1, nil)[0]
	if last.First.Before(began) || last.First.Sub(began) > 10*time.Minute || !last.At.After(last.First) {
		t.Errorf("the last one came first at %v, at last at %v", last.First, last.At)
	}
}

// The count goes on after a snapshot, and where some voter is too old nothing
// is counted.
func TestRepeatedEventsInASnapshot(t *testing.T) {
	w := newWorld(t, "n1")
	w.must(PutStack{Stack: "s", Services: []NamedSpec{{"web", spec("web", 1)}}})
	one := task("t0", 1, "n1", 0)
	w.must(Reconcile{Create: []cluster.Task{one}})
	w.crash(1, false, one)
	w.crash(2, false, one)
	if n := len(historyOf(w.View(), "t0")); n != 7 {
		t.Errorf("%d events with an old voter", n)
	}
	w.crash(3, true, one)
	var snap bytes.Buffer
	if err := w.View().WriteSnapshot(&snap); err != nil {
		t.Fatal(err)
	}
	restored, err := ReadSnapshot(&snap)
	if err != nil {
		t.Fatal(err)
	}
	again := &world{State: restored, t: t, index: w.index, now: w.now}
	w.crash(4, true, one)
	again.crash(4, true, one)
	if d := cmp.Diff(historyOf(w.View(), "t0"), historyOf(again.View(), "t0")); d != "" {
		t.Error(d)
	}
	if got := historyOf(again.View(), "t0"); len(got) != 10 || got[9] != "backoff 2 exit code 2" {
		t.Errorf("%q", got)
	}
}

// Counted events leave the history as others do, and begin anew.
func TestRepeatedEventsAgeOut(t *testing.T) {
	w := newWorld(t, "n1")
	w.must(PutStack{Stack: "s", Services: []NamedSpec{{"web", spec("web", 1)}}})
	one := task("t0", 1, "n1", 0)
	w.must(Reconcile{Create: []cluster.Task{one}})
	w.crash(1, true, one)
	for i := range KeepEvents {
		w.must(Scale{"s/web", i + 2})
	}
	if v := w.View(); v.events.len() != KeepEvents || v.repeated.len() != 0 {
		t.Errorf("%d events, %d of them count", v.events.len(), v.repeated.len())
	}
	w.crash(2, true, one)
	if got := historyOf(w.View(), "t0"); len(got) != 3 || got[0] != "starting 1" {
		t.Errorf("%q", got)
	}
}
