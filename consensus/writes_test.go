package consensus

import (
	"errors"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/cluster"
)

func TestWritesOfTheLastHalfMinute(t *testing.T) {
	var w writes
	at := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for range writesNeeded - 1 {
		w.note(at, time.Second)
	}
	if got := w.median(at); got != 0 {
		t.Errorf("%v after too few writes", got)
	}
	w.note(at, time.Second)
	if got := w.median(at); got != time.Second {
		t.Errorf("%v of %d writes that took a second", got, writesNeeded)
	}
	if got := w.median(at.Add(writesWithin + 1)); got != 0 {
		t.Errorf("%v when the last write is old", got)
	}
	for range writesKept { // the slow ones are forgotten
		w.note(at, time.Millisecond)
	}
	if got := w.median(at); got != time.Millisecond {
		t.Errorf("%v after many quick writes", got)
	}
	for range 10 { // a few slow ones are no slow disk
		w.note(at, time.Second)
	}
	if got := w.median(at); got != time.Millisecond {
		t.Errorf("%v after a few slow ones", got)
	}
}

// The leader's slow disk shows on it, and on it alone.
func TestWriteTimeOfEachMember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRing(t)
		disk := r.sicken("A")
		leader := r.start("A", "B", "C")
		defer r.closeAll()
		r.agree()
		disk.slow.Store(int64(300 * time.Millisecond))
		for i := range 2 * writesKept {
			r.must(leader, token(i))
		}
		if got := leader.WriteTime(); got != 300*time.Millisecond {
			t.Errorf("the leader's writes take %v", got)
		}
		if got := r.stores["B"].WriteTime(); got >= 10*time.Millisecond {
			t.Errorf("a follower's writes take %v", got)
		}
	})
}

// The leader knows who keeps up: a follower whose disk takes nothing answers
// heartbeats, and does not.
func TestFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRing(t)
		disk := r.sicken("B")
		leader := r.start("A", "B", "C")
		defer r.closeAll()
		r.agree()
		follows := func(id cluster.NodeID) bool {
			_, ok := leader.Follows(id)
			return ok
		}
		r.until("both follow", func() bool { return follows("B") && follows("C") })
		disk.slow.Store(int64(4 * time.Second)) // short of hanging
		before, _ := leader.Follows("B")
		r.must(leader, token(1))
		if match, ok := leader.Follows("B"); ok || match != before {
			t.Errorf("B follows: %v, up to %d, which was %d", ok, match, before)
		}
		r.until("C follows", func() bool { return follows("C") })
		disk.slow.Store(0)
		r.until("B follows again", func() bool { return follows("B") })
		r.net.isolate("C", true)
		r.until("C does not", func() bool { return !follows("C") })
	})
}

// Pipelined replication can deadlock and leave a follower behind for ever: raft
// must not be able to use it.
func TestNoPipeline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRing(t)
		leader := r.start("A", "B")
		defer r.closeAll()
		if _, err := leader.trans.AppendEntriesPipeline("B", "B"); !errors.Is(err, raft.ErrPipelineReplicationNotSupported) {
			t.Errorf("raft gets a pipeline: %v", err)
		}
	})
}

// A store that was there and is gone is not taken for a new one.
func TestLostStoreIsNotResumed(t *testing.T) {
	for name, open := range map[string]func(Config) Config{
		"disk": func(c Config) Config {
			c.DataDir, c.Memory = filepath.Join(t.TempDir(), "consensus"), nil
			return c
		},
		"memory": func(c Config) Config {
			c.Memory = NewMemory()
			return c
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRing(t)
			cfg := open(r.config("A"))
			cfg.Resume = true
			if _, err := Open(cfg); !errors.Is(err, ErrStoreLost) {
				t.Fatalf("an empty store is resumed: %v", err)
			}
			cfg.Resume, cfg.Listener = false, r.net.listen("A")
			s, err := Open(cfg)
			if err != nil {
				t.Fatal(err)
			}
			r.stores["A"] = s
			if err := s.Bootstrap(t.Context()); err != nil {
				t.Fatal(err)
			}
			r.leader()
			r.close("A")
			cfg.Resume, cfg.Listener = true, r.net.listen("A")
			if s, err = Open(cfg); err != nil {
				t.Fatalf("a store with a log: %v", err)
			}
			r.stores["A"] = s
		})
	}
}
