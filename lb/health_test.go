package lb

import (
	"testing"
	"time"
)

func TestEjectionGrows(t *testing.T) {
	b := frontend(1).Backends[0]
	var h Health
	now := t0
	for i, want := range []time.Duration{1, 2, 4, 8, 10, 10, 10} {
		want *= time.Second
		h = h.Fail(b, now)
		if h.Usable(b, now.Add(want-1)) {
			t.Fatalf("failure %d: usable before %v have passed", i+1, want)
		}
		now = now.Add(want)
		if !h.Usable(b, now) {
			t.Fatalf("failure %d: not usable after %v", i+1, want)
		}
	}
}

func TestFailuresOfConnectionsUnderWayCountOnce(t *testing.T) {
	b := frontend(1).Backends[0]
	h := Health{}.Fail(b, t0)
	for range 50 {
		h = h.Fail(b, t0.Add(FirstEjection/2))
	}
	if !h.Usable(b, t0.Add(FirstEjection)) {
		t.Error("a burst of failures made the first ejection longer")
	}
}

func TestTrialKeepsOthersAway(t *testing.T) {
	b := frontend(1).Backends[0]
	h := Health{}.Fail(b, t0)
	now := t0.Add(FirstEjection)
	h = h.Begin(b, now, 300*time.Millisecond)
	if h.Usable(b, now) {
		t.Error("usable for others during the trial")
	}
	if !h.Usable(b, now.Add(300*time.Millisecond)) {
		t.Error("a trial that nobody ended lasts longer than it may")
	}
	failed := h.Fail(b, now.Add(100*time.Millisecond))
	if failed.Usable(b, now.Add(100*time.Millisecond+2*FirstEjection-1)) {
		t.Error("a failed trial did not lengthen the ejection")
	}
	if answered := h.Answered(b); !answered.Empty() {
		t.Error("a backend that answered is not trusted again")
	}
}

func TestBeginOfATrustedBackendChangesNothing(t *testing.T) {
	b := frontend(1).Backends[0]
	if h := (Health{}).Begin(b, t0, time.Second); !h.Empty() {
		t.Error("a trusted backend became suspect by being tried")
	}
	h := Health{}.Fail(b, t0).Begin(b, t0, time.Hour)
	if !h.Usable(b, t0.Add(FirstEjection)) {
		t.Error("a last resort during the ejection made it longer")
	}
}

func TestHealthIsAValue(t *testing.T) {
	b := frontend(1).Backends[0]
	var trusted Health
	ejected := trusted.Fail(b, t0)
	ejected.Answered(b)
	if !trusted.Usable(b, t0) || ejected.Usable(b, t0) {
		t.Error("a change reached an older value")
	}
}

func TestKeepForgetsBackendsThatLeft(t *testing.T) {
	f := frontend(2)
	h := Health{}.Fail(f.Backends[0], t0).Fail(f.Backends[1], t0)
	h = h.Keep(&Table{Frontends: []Frontend{{Port: f.Port, Backends: f.Backends[:1]}}})
	if h.Usable(f.Backends[0], t0) {
		t.Error("forgot a backend that stayed")
	}
	if !h.Usable(f.Backends[1], t0) {
		t.Error("remembers a backend that left")
	}
}
