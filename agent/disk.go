package agent

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/musterhq/muster/cluster"
)

// Room, in bytes, on the file system of the data directory. On small ones the
// share counts where it is less.
const (
	diskEvery = 2 * time.Second
	lowRoom   = 256 << 20 // less is a problem that status shows
	lowShare  = 10        // or a tenth
	voteRoom  = 32 << 20  // a vote that rests needs this to go on
	voteShare = 20
)

// diskWatch is what is known of the room in the data directory.
type diskWatch struct {
	mu         sync.Mutex
	free, size int64 // 0: not known
	resting    bool  // the disk was full: this node takes no part in decisions
	ballast    bool  // there is one
	spent      bool  // it was given up for a full disk
}

// short reports whether less is free than limit, or than a share-th of it all.
func (w *diskWatch) short(limit, share int64) bool {
	return w.size > 0 && w.free < min(limit, w.size/share)
}

// rests reports whether the vote does.
func (w *diskWatch) rests() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.resting
}

// endRest reports whether the vote rested, and ends that.
func (w *diskWatch) endRest() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	was := w.resting
	w.resting = false
	return was
}

// diskProblems are the troubles with this node's disk that status shows.
func (m *member) diskProblems() []string {
	w := &m.disk
	w.mu.Lock()
	defer w.mu.Unlock()
	switch dir := m.a.data.path; {
	case w.resting:
		return []string{fmt.Sprintf("node %s: the disk under %s is full (%s free): its vote rests until there is room",
			m.a.name, dir, cluster.FormatBytes(w.free))}
	case w.spent && w.short(lowRoom, lowShare):
		return []string{fmt.Sprintf("node %s: the disk under %s is full: the room that was kept for this is in use (%s free): make room, or its vote rests",
			m.a.name, dir, cluster.FormatBytes(w.free))}
	case w.short(lowRoom, lowShare):
		return []string{fmt.Sprintf("node %s: the disk under %s is nearly full (%s of %s free): make room",
			m.a.name, dir, cluster.FormatBytes(w.free), cluster.FormatBytes(w.size))}
	}
	return nil
}

// watchDisk measures the room until ctx ends, and lets a vote that rests go on
// when there is some.
func (m *member) watchDisk(ctx context.Context) {
	m.disk.mu.Lock()
	m.disk.ballast = m.a.data.hasBallast()
	m.disk.mu.Unlock()
	for ctx.Err() == nil {
		free, size, err := room(m.a.data.path)
		if err != nil {
			m.log.Debug("measure the disk", "error", err)
		}
		m.disk.mu.Lock()
		m.disk.free, m.disk.size = free, size
		wake := m.disk.resting && err == nil && !m.disk.short(voteRoom, voteShare)
		m.disk.mu.Unlock()
		if wake {
			m.wakeVote(ctx)
		}
		if err == nil {
			m.tendBallast()
		}
		sleep(ctx, diskEvery)
	}
}

// restVote ends this node's part in decisions: v could not write its log for
// want of room. As a member the node goes on. If the ballast makes room, so does
// the vote.
func (m *member) restVote(v *voter, why error) {
	if m.voting.take(m.ctx) != nil {
		return // the agent stops
	}
	defer m.voting.done()
	if m.voter.Load() != v {
		return
	}
	spare := m.freeBallast() // while it votes
	m.stopVoter()
	if !spare {
		m.rests(why)
		return
	}
	if err := m.resumeVoter(); err != nil {
		m.a.fail(err)
	}
}

// rests notes that this node has a vote and no room to use it.
func (m *member) rests(why error) {
	m.log.Error("the disk is full: this node's vote rests until there is room", "error", why, "directory", m.a.data.path)
	m.disk.mu.Lock()
	defer m.disk.mu.Unlock()
	m.disk.resting = true
}

// wakeVote takes part in decisions again, unless the vote was taken away or
// given anew meanwhile.
func (m *member) wakeVote(ctx context.Context) {
	if m.voting.take(ctx) != nil {
		return
	}
	defer m.voting.done()
	if !m.disk.endRest() || m.voter.Load() != nil || ctx.Err() != nil {
		return
	}
	m.log.Info("there is room on the disk again", "directory", m.a.data.path)
	if err := m.resumeVoter(); err != nil {
		m.a.fail(err)
	}
}
