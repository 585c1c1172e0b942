package agent

import (
	"testing"

	"github.com/musterhq/muster/api"
)

// A measurement goes with heartbeats until one was answered, and again to a new
// leader.
func TestAMeasurementIsToldOnce(t *testing.T) {
	var g gauge
	if use := g.untold(); use != nil {
		t.Errorf("told %+v before anything was measured", use)
	}
	first, second := &api.TasksUse{}, &api.TasksUse{}
	g.set(first)
	for range 2 { // the first heartbeat with it failed
		if g.untold() != first {
			t.Error("a measurement that no leader has answered is not told")
		}
	}
	g.set(second)
	g.heard(first) // the answer came after the next measurement
	if g.untold() != second {
		t.Error("a newer measurement is taken as told")
	}
	g.heard(second)
	if use := g.untold(); use != nil {
		t.Errorf("told %+v twice", use)
	}
	g.resend()
	if g.untold() != second {
		t.Error("a new leader is not told")
	}
}
