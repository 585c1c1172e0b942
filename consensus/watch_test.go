package consensus

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/cluster/state"
)

func change(n int) state.Change {
	return state.Change{Topic: state.TopicTask, Key: fmt.Sprint(n)}
}

func woken(w *Watcher) bool {
	select {
	case <-w.C():
		return true
	default:
		return false
	}
}

func TestWatcherCoalesces(t *testing.T) {
	h := newHub()
	w := h.watch()
	if !woken(w) || !w.Take().All {
		t.Error("a new watcher does not begin with everything")
	}
	if woken(w) || !w.Take().Empty() {
		t.Error("woken for nothing")
	}
	h.mark([]state.Change{change(1), change(2), change(1)})
	h.mark([]state.Change{change(2), change(3)})
	h.mark(nil)
	if !woken(w) || woken(w) {
		t.Error("two marks are not one wake-up")
	}
	if diff := cmp.Diff(Dirty{Changes: []state.Change{change(1), change(2), change(3)}}, w.Take()); diff != "" {
		t.Error(diff)
	}
	w.Close()
	h.mark([]state.Change{change(1)})
	if woken(w) {
		t.Error("woken after Close")
	}
}

func TestWatcherIsBounded(t *testing.T) {
	h := newHub()
	w := h.watch()
	w.Take()
	for i := range maxDirty {
		h.mark([]state.Change{change(i)})
	}
	if d := w.Take(); d.All || len(d.Changes) != maxDirty {
		t.Errorf("%d changes, all %v", len(d.Changes), d.All)
	}
	for i := range maxDirty + 1 {
		h.mark([]state.Change{change(i)})
	}
	h.mark([]state.Change{change(0)})
	if d := w.Take(); !d.All || len(d.Changes) != 0 {
		t.Errorf("%d changes, all %v, past the limit", len(d.Changes), d.All)
	}
	h.mark([]state.Change{change(0)})
	if d := w.Take(); d.All || len(d.Changes) != 1 {
		t.Errorf("after it was taken: %+v", d)
	}
}
