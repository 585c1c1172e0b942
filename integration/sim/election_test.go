package sim

import (
	"testing"
	"time"
)

// A leader that reaches nobody leads until its lease is over, and then somebody
// else does.
func TestLeaderWithoutAMajorityGoes(t *testing.T) {
	w := newWorld(Config{Seed: 1, Duration: time.Minute})
	w.boot()
	for w.raft.leader == nil && w.now < w.cfg.Duration {
		w.until(w.now + time.Second)
	}
	old := w.raft.leader
	if old == nil {
		t.Fatal("nobody was elected")
	}
	old.isolate(true)
	w.until(w.now + leaseTime + 5*time.Second)
	if l := w.raft.leader; l == nil || l == old {
		t.Errorf("%v leads after %v lost everybody", l, old.id)
	}
}
