package sim

import (
	"testing"
	"time"
)

// A node that knows a state goes back to no older one, whoever sends it.
func TestFeedLeavesOlderStates(t *testing.T) {
	w := newWorld(Config{Seed: 3, Duration: 30 * time.Second})
	w.boot()
	w.until(w.cfg.Duration)
	views := w.raft.views
	looked := 0
	for _, h := range w.hosts {
		if h.agent == nil || h.agent.feed.at.index < 2 {
			continue
		}
		f := &h.agent.feed
		known := f.at
		f.frame(views[known.index/2])
		if f.at != known {
			t.Errorf("%s went from %v back to %v", h.id, known, f.at)
		}
		looked++
	}
	if looked == 0 {
		t.Error("no node knew anything")
	}
}
