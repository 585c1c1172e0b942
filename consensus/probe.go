package consensus

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"time"
)

// probeEvery is how often a disk that takes no writes is tried.
const probeEvery = 5 * time.Second

// probeKey is where a probe leaves its number, beside raft's own terms and votes.
var probeKey = []byte("MusterProbe")

// tryDisk writes to the store while nobody else does, until raft has ended: a
// disk that hangs under an idle leader would otherwise be noticed by the next
// command alone, which then waits for the election of another.
func (s *Store) tryDisk() {
	defer close(s.tried)
	pause := func() time.Duration { return probeEvery + rand.N(probeEvery/4) } // voters that start together do not write together
	t := time.NewTimer(pause())
	defer t.Stop()
	for n := uint64(1); ; n++ {
		select {
		case <-s.stopped:
			return
		case <-s.failed:
			return
		case <-t.C:
			t.Reset(pause())
		}
		if s.entries.writes.since(time.Now()) < probeEvery {
			continue // the log is written to
		}
		if err := s.guard.do("try the disk", func() error { return s.stores.probe(n) }); err != nil && s.guard.poisoned() == nil {
			s.cfg.Logger.Warn("the disk refuses a small write", "error", err)
		}
	}
}

// fsyncLimit is when a disk that is measured counts as hung.
const fsyncLimit = 10 * time.Second

// MeasureFsync returns the median time that a small write takes to reach the
// disk under dir. It takes about a second at most on a healthy disk. Its error
// matches ErrStoreFull where there is no room, and ErrStoreHung where the disk
// does not answer.
func MeasureFsync(dir string) (time.Duration, error) {
	return measure(dir, fsyncLimit, fsyncs)
}

// measure gives a measurement a limit. One that hangs is left behind: nothing can
// interrupt the system call.
func measure(dir string, limit time.Duration, how func(dir string) (time.Duration, error)) (took time.Duration, err error) {
	g := &guard{deadline: limit, fail: func(error) {}}
	result := make(chan time.Duration, 1)
	err = g.do("measuring it", func() error {
		took, err := how(dir)
		result <- took
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("measure the disk under %s: %w", dir, err)
	}
	return <-result, nil
}

func fsyncs(dir string) (time.Duration, error) {
	f, err := os.CreateTemp(dir, ".fsync-*")
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name())
	defer f.Close()

	const samples, budget = 15, time.Second
	page := make([]byte, 4096)
	var all []time.Duration
	for start := time.Now(); len(all) < samples && (len(all) < 3 || time.Since(start) < budget); {
		begun := time.Now()
		if _, err := f.Write(page); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
		all = append(all, time.Since(begun))
	}
	slices.Sort(all)
	return all[len(all)/2], nil
}
