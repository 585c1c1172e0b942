package worker

import (
	"testing"

	"github.com/musterhq/muster/runtime"
)

// Looks that overlap come back in any order: the one that was begun last counts.
func TestViewKeepsTheLatestLook(t *testing.T) {
	of := func(s runtime.Status) runtime.Container { return runtime.Container{ID: "a", Status: s} }
	v := newView()
	list, look := v.begin(), v.begin()
	v.saw(sighting{at: look, id: "a", c: of(runtime.StatusRunning)})
	v.listed(list, []runtime.Container{of(runtime.StatusCreated)})
	if got := v.containers(); len(got) != 1 || got[0].Status != runtime.StatusRunning {
		t.Errorf("after an older list: %+v, want the container to run", got)
	}
	v.listed(list, nil)
	if got := v.containers(); len(got) != 1 {
		t.Errorf("an older list without it: %+v, want it kept", got)
	}
	list, removed := v.begin(), v.begin()
	v.saw(sighting{at: removed, id: "a", gone: true})
	v.listed(list, []runtime.Container{of(runtime.StatusRunning)})
	if got := v.containers(); len(got) != 0 {
		t.Errorf("a list older than its removal brought it back: %+v", got)
	}
	v.listed(v.begin(), nil)
	if len(v.seen) != 0 {
		t.Errorf("%d sightings are kept of nothing", len(v.seen))
	}
}
