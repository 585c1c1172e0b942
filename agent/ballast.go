package agent

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/musterhq/muster/cluster"
)

// The ballast is a file that does nothing but take room. A voter keeps one while
// there is plenty, and gives it up when the disk fills: raft goes on, and somebody
// has the time to make room.
const (
	ballastFile  = "ballast"
	maxBallast   = 64 << 20 // bytes
	ballastShare = 32       // or that part of a small disk
	tightRoom    = 4 << 20  // with less free the ballast is given up
	tightShare   = 64
)

// ballastFor is how much is kept on a file system of that size, in bytes.
func ballastFor(size int64) int64 { return min(maxBallast, size/ballastShare) }

// tend says what to do about the ballast, for a node that votes or one that does
// not.
func (w *diskWatch) tend(votes bool) (keep, release bool) {
	switch {
	case w.size <= 0:
		return false, false
	case w.ballast:
		return false, !votes || w.short(tightRoom, tightShare)
	}
	left := w.free - ballastFor(w.size)
	return votes && left >= min(lowRoom, w.size/lowShare), false
}

// tendBallast looks after the ballast, once the room was measured.
func (m *member) tendBallast() {
	if m.a.host.Log != nil {
		return // the log is not on this disk
	}
	w := &m.disk
	w.mu.Lock()
	keep, release := w.tend(m.voter.Load() != nil || w.resting)
	size := ballastFor(w.size)
	w.mu.Unlock()
	switch {
	case release:
		m.freeBallast()
	case keep:
		if err := m.a.data.keepBallast(size); err != nil {
			m.log.Debug("keep the ballast", "error", err)
			return
		}
		w.mu.Lock()
		w.ballast, w.spent = true, false
		w.mu.Unlock()
	}
}

// freeBallast gives the ballast up, and reports whether that made room.
func (m *member) freeBallast() bool {
	freed, err := m.a.data.freeBallast()
	if err != nil {
		m.log.Warn("give up the ballast", "error", err)
	}
	m.disk.mu.Lock()
	defer m.disk.mu.Unlock()
	m.disk.ballast = false
	if freed > 0 && m.voter.Load() != nil {
		m.disk.spent = true
		m.log.Error("the disk is full: the ballast is given up, so that the log can go on for a while; make room now",
			"directory", m.a.data.path, "freed", cluster.FormatBytes(freed))
	}
	return freed > 0
}

// keepBallast makes the ballast: room that is really taken, not a hole. What
// could not be made whole is not kept.
func (d *dataDir) keepBallast(size int64) error {
	path := filepath.Join(d.path, ballastFile)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("make the ballast: %w", err)
	}
	err = unix.Fallocate(int(f.Fd()), 0, 0, size)
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(fmt.Errorf("make the ballast: %w", err), os.Remove(path))
	}
	return nil
}

// freeBallast removes the ballast and returns its size, 0 when there was none.
func (d *dataDir) freeBallast() (freed int64, err error) {
	path := filepath.Join(d.path, ballastFile)
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err == nil {
		freed, err = info.Size(), os.Remove(path)
	}
	if err != nil {
		return 0, fmt.Errorf("free the ballast: %w", err)
	}
	return freed, nil
}

// hasBallast reports whether an earlier agent left one.
func (d *dataDir) hasBallast() bool {
	_, err := os.Stat(filepath.Join(d.path, ballastFile))
	return err == nil
}
