package agent

import (
	"testing"

	"github.com/musterhq/muster/api"
)

// News go with heartbeats until one was answered, and again to a new leader.
func TestNewsAreToldOnce(t *testing.T) {
	var g news[api.TasksUse]
	if use := g.untold(); use != nil {
		t.Errorf("told %+v before there was any", use)
	}
	first, second := &api.TasksUse{}, &api.TasksUse{}
	g.set(first)
	for range 2 { // the first heartbeat with it failed
		if g.untold() != first {
			t.Error("what no leader has answered is not told")
		}
	}
	g.set(second)
	g.heard(first) // the answer came after the next news
	if g.untold() != second {
		t.Error("what is newer is taken as told")
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
