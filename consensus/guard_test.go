package consensus

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// sickDisk is a node's storage whose writes can be made to hang, to panic or to
// find no room.
type sickDisk struct {
	raft.LogStore
	raft.StableStore
	hangs  atomic.Bool
	panics atomic.Bool
	full   atomic.Bool
	slow   atomic.Int64  // nanoseconds for each append
	terms  atomic.Int64  // terms and probes that were written
	cured  chan struct{} // closed when what hangs goes on
}

// sicken puts a sickDisk under a node that is not open yet.
func (r *ring) sicken(id cluster.NodeID) *sickDisk {
	m := NewMemory()
	d := &sickDisk{LogStore: m.log, StableStore: m.stable, cured: make(chan struct{})}
	m.log, m.stable = d, d
	r.memory[id] = m
	return d
}

func (d *sickDisk) write() error {
	if d.panics.Load() {
		panic("page 7: invalid type")
	}
	if d.hangs.Load() {
		<-d.cured
	}
	if d.full.Load() {
		return &os.PathError{Op: "write", Path: boltFile, Err: syscall.ENOSPC}
	}
	return nil
}

func (d *sickDisk) StoreLogs(logs []*raft.Log) error {
	time.Sleep(time.Duration(d.slow.Load()))
	if err := d.write(); err != nil {
		return err
	}
	return d.LogStore.StoreLogs(logs)
}

func (d *sickDisk) SetUint64(key []byte, val uint64) error {
	d.terms.Add(1)
	if err := d.write(); err != nil {
		return err
	}
	return d.StableStore.SetUint64(key, val)
}

func TestHungDiskMakesTheLeaderLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRing(t)
		disk := r.sicken("A")
		leader := r.start("A", "B", "C")
		defer r.closeAll()
		r.agree()
		disk.hangs.Store(true)
		begun := time.Now()
		_, err := leader.Propose(t.Context(), state.Command{At: time.Now(), Body: token(1)})
		if !errors.Is(err, ErrUnknown) || !errors.Is(err, ErrStoreHung) {
			t.Errorf("propose: %v", err)
		}
		if took := time.Since(begun); took != r.tuning.StoreDeadline {
			t.Errorf("it took %v", took)
		}
		<-leader.Failed()
		if !errors.Is(leader.Err(), ErrStoreHung) {
			t.Errorf("Err is %v", leader.Err())
		}
		if _, err := leader.Propose(t.Context(), state.Command{At: time.Now(), Body: token(1)}); !errors.Is(err, ErrClosed) {
			t.Errorf("propose on a failed store: %v", err)
		}
		r.close("A") // does not hang, although the disk still does
		r.must(r.leader(), token(2))
		close(disk.cured)
	})
}

// What waits for a leader whose disk hangs is answered by raft before it ends: what
// was not would keep a goroutine for ever, which ends the bubble with a panic.
func TestHungDiskLeavesNoRequestBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRing(t)
		disk := r.sicken("A")
		leader := r.start("A", "B", "C")
		defer r.closeAll()
		r.agree()
		disk.hangs.Store(true)
		var calls sync.WaitGroup
		for n := range 50 {
			calls.Go(func() {
				if _, err := leader.Propose(t.Context(), state.Command{At: time.Now(), Body: token(n)}); !errors.Is(err, ErrUnknown) {
					t.Errorf("propose: %v", err)
				}
			})
			calls.Go(func() { _ = leader.VerifyLeader(t.Context()) }) // it may be in time
		}
		calls.Wait()
		<-leader.Failed()
		r.close("A")
		close(disk.cured)
	})
}

func TestHungDiskMakesAFollowerLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRing(t)
		disk := r.sicken("B")
		leader := r.start("A", "B", "C")
		defer r.closeAll()
		r.agree()
		disk.hangs.Store(true)
		r.must(leader, token(1)) // A and C are enough
		<-r.stores["B"].Failed()
		r.until("the leader notices", func() bool { return !leader.CaughtUp("B") })
		r.close("B")
		close(disk.cured)
	})
}

// Nobody has to write for a voter to notice that its disk hangs, or has no room.
func TestIdleVoterNoticesItsDisk(t *testing.T) {
	for _, sick := range []cluster.NodeID{"A", "B"} { // the leader, a follower
		for want, spoil := range map[error]func(*sickDisk){
			ErrStoreHung: func(d *sickDisk) { d.hangs.Store(true) },
			ErrStoreFull: func(d *sickDisk) { d.full.Store(true) },
		} {
			t.Run(string(sick)+" "+want.Error(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRing(t)
					disk := r.sicken(sick)
					r.start("A", "B", "C")
					defer r.closeAll()
					r.agree()
					time.Sleep(time.Minute)
					spoil(disk)
					begun := time.Now()
					<-r.stores[sick].Failed()
					if took := time.Since(begun); took > probeEvery*5/4+r.tuning.StoreDeadline {
						t.Errorf("it took %v", took)
					}
					if err := r.stores[sick].Err(); !errors.Is(err, want) {
						t.Errorf("Err is %v", err)
					}
					r.close(sick)
					r.must(r.leader(), token(1))
					close(disk.cured)
				})
			})
		}
	}
}

// The disk is tried at a low rate, and not at all while the log is written to.
func TestDiskIsTriedWhileNobodyWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRing(t)
		disk := r.sicken("A")
		leader := r.start("A", "B", "C")
		defer r.closeAll()
		r.agree()
		before := disk.terms.Load()
		for i := range 60 {
			time.Sleep(time.Second)
			r.must(leader, token(i))
		}
		if n := disk.terms.Load() - before; n != 0 {
			t.Errorf("it was tried %d times under writes", n)
		}
		time.Sleep(time.Minute)
		if n := disk.terms.Load() - before; n < 8 || n > 12 {
			t.Errorf("it was tried %d times in a minute", n)
		}
	})
}

// A node whose disk is full stops taking part; the others go on, and it comes
// back to the same log when there is room.
func TestFullDisk(t *testing.T) {
	for _, sick := range []cluster.NodeID{"A", "B"} { // the leader, a follower
		t.Run(string(sick), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRing(t)
				disk := r.sicken(sick)
				leader := r.start("A", "B", "C")
				defer r.closeAll()
				r.agree()
				disk.full.Store(true)
				_, err := leader.Propose(t.Context(), state.Command{At: time.Now(), Body: token(1)})
				if sick == "A" && !errors.Is(err, ErrUnknown) || sick != "A" && err != nil {
					t.Errorf("propose: %v", err)
				}
				<-r.stores[sick].Failed()
				if err := r.stores[sick].Err(); !errors.Is(err, ErrStoreFull) {
					t.Errorf("Err is %v", err)
				}
				r.close(sick)
				r.must(r.leader(), token(2))

				disk.full.Store(false)
				r.open(sick)
				r.agree()
			})
		})
	}
}

// A full disk under several candidates at once: none of them panics.
func TestTermThatHasNoRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRing(t)
		b, c := r.sicken("B"), r.sicken("C")
		r.start("A", "B", "C")
		defer r.closeAll()
		r.agree()
		b.full.Store(true)
		c.full.Store(true)
		r.close("A") // B or C stands for election
		select {
		case <-r.stores["B"].Failed():
		case <-r.stores["C"].Failed():
		}
	})
}

func TestPanickingStoreIsContained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRing(t)
		disk := r.sicken("A")
		leader := r.start("A")
		defer r.closeAll()
		disk.panics.Store(true)
		if _, err := leader.Propose(t.Context(), state.Command{At: time.Now(), Body: token(1)}); !errors.Is(err, ErrStoreBroken) {
			t.Errorf("propose: %v", err)
		}
		<-leader.Failed()
	})
}

func TestGuardToleratesAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var failed error
		g := &guard{deadline: 5 * time.Second, fail: func(err error) { failed = err }}
		if err := g.do("write", func() error { time.Sleep(4900 * time.Millisecond); return nil }); err != nil || failed != nil {
			t.Errorf("within the deadline: %v, %v", err, failed)
		}
		release := make(chan struct{})
		if err := g.do("write", func() error { <-release; return nil }); !errors.Is(err, ErrStoreHung) || !errors.Is(failed, ErrStoreHung) {
			t.Errorf("past the deadline: %v, %v", err, failed)
		}
		called := false
		if err := g.do("read", func() error { called = true; return nil }); !errors.Is(err, ErrStoreHung) || called {
			t.Errorf("a poisoned store was used: %v, %v", called, err)
		}
		close(release)
	})
}

// Raft panics when it cannot save a term, which a candidate must.
func TestTermThatCannotBeSaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRing(t)
		b, c := r.sicken("B"), r.sicken("C")
		r.start("A", "B", "C")
		defer r.closeAll()
		r.agree()
		b.hangs.Store(true)
		c.hangs.Store(true)
		r.close("A") // B or C stands for election
		select {
		case <-r.stores["B"].Failed():
		case <-r.stores["C"].Failed():
		}
		r.close("B")
		r.close("C")
		close(b.cured)
		close(c.cured)
	})
}

func TestUnknownCommandStopsTheNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRing(t)
		leader := r.start("A")
		defer r.closeAll()
		data, err := state.Encode(state.Command{At: time.Now(), Body: token(1)})
		if err != nil {
			t.Fatal(err)
		}
		newer := bytes.Replace(data, []byte{0x02, 0x01}, []byte{0x02, 0x17}, 1) // envelope version 23
		if bytes.Equal(newer, data) {
			t.Fatal("the envelope has no version 1")
		}
		before := leader.View().Index()
		answer := leader.raft.Apply(newer, time.Second)
		behind := leader.raft.Apply(data, time.Second)
		_ = answer.Error()
		_ = behind.Error()
		<-leader.Failed()
		if !errors.Is(leader.Err(), ErrUnappliable) {
			t.Errorf("Err is %v", leader.Err())
		}
		if after := leader.View().Index(); after != before {
			t.Errorf("the entry behind it was applied: %d after %d", after, before)
		}
		if _, err := leader.fsm.Snapshot(); !errors.Is(err, ErrUnappliable) {
			t.Errorf("a snapshot was taken: %v", err)
		}
		r.close("A")
		s := r.open("A") // the entry is still there
		<-s.Failed()
	})
}

func TestMemoryKeepsTheTerm(t *testing.T) {
	m := NewMemory()
	g := &guard{deadline: time.Second, fail: func(err error) { t.Error(err) }}
	s := &guardedStable{g, m.open().stable}
	if err := s.SetUint64([]byte("CurrentTerm"), 7); err != nil {
		t.Fatal(err)
	}
	if n, err := s.GetUint64([]byte("CurrentTerm")); n != 7 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if err := s.Set([]byte("k"), binary.BigEndian.AppendUint64(nil, 9)); err != nil {
		t.Fatal(err)
	}
	if b, err := s.Get([]byte("k")); len(b) != 8 || err != nil {
		t.Errorf("%v, %v", b, err)
	}
	if _, err := s.Get([]byte("absent")); err == nil || err.Error() != "not found" {
		t.Errorf("raft knows an absent key by its text, this is %v", err)
	}
}
