package agent

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/musterhq/muster/agent/worker"
	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/health"
	"github.com/musterhq/muster/lb"
)

// Pace of the heartbeat.
const (
	heartbeatEvery = 500 * time.Millisecond
	// ownBeatEvery is the leader's to itself, which only brings what it measured:
	// nobody finds its host dead by it, and a new leader hears of it at once.
	ownBeatEvery     = time.Second
	heartbeatTimeout = time.Second
	// Heartbeats that others wait for are minHurry apart, and hurryPerMember more.
	minHurry       = 50 * time.Millisecond
	hurryPerMember = 500 * time.Microsecond
	heartbeatRetry = 100 * time.Millisecond
	// unanswered is when a heartbeat that got no answer makes this node dial
	// the leader's host, so that it knows the result should it be elected.
	unanswered = 500 * time.Millisecond
)

// uplink is this node's line to the leader, directly or through another voter.
type uplink struct {
	m      *member
	wake   chan struct{} // the leader changed
	soon   chan struct{} // the leader waits for what the next heartbeat says
	cutOff bool          // the last heartbeat failed; beat's own

	mu      sync.Mutex
	cancel  context.CancelFunc // of the heartbeat in flight
	heard   time.Time          // when a leader answered last, or this node began
	told    position           // the newest index that a leader named for this node
	quick   cluster.NodeID     // who answered last; asked first until quickTo
	quickTo time.Time
	dials   map[cluster.NodeID]health.ProbeResult
	dialed  map[cluster.NodeID]bool // dial in flight
	// removed is since when the cluster says that this node is no member.
	removed time.Time
}

func newUplink(m *member) *uplink {
	return &uplink{m: m, heard: time.Now(), wake: make(chan struct{}, 1), soon: make(chan struct{}, 1), dials: map[cluster.NodeID]health.ProbeResult{}, dialed: map[cluster.NodeID]bool{}}
}

// leaderChanged ends a heartbeat that may be waiting for a dead leader.
func (u *uplink) leaderChanged() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.cancel != nil {
		u.cancel()
	}
	select {
	case u.wake <- struct{}{}:
	default:
	}
}

// resendAll tells a new leader what only the one before knows.
func (m *member) resendAll() {
	m.worker.ResendAll()
	m.gauge.resend()
	m.held.resend()
}

// Leaderless is how long no leader has answered a heartbeat of this node.
func (m *member) Leaderless() time.Duration {
	m.uplink.mu.Lock()
	defer m.uplink.mu.Unlock()
	return time.Since(m.uplink.heard)
}

// behind reports whether a source of state lags behind what a leader said.
func (u *uplink) behind(p position) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return p.before(u.told)
}

// run sends heartbeats until ctx ends.
func (u *uplink) run(ctx context.Context) {
	u.m.jobs.Go(func() { u.announce(ctx) })
	for ctx.Err() == nil {
		next := heartbeatEvery
		if !u.beat(ctx) {
			next = heartbeatRetry
		} else if u.m.LeaderID() == u.m.self {
			next = ownBeatEvery
		}
		if u.m.voter.Load() != nil && !u.m.ownStateServes() {
			u.m.wakeFeed()
		}
		if u.m.worker.Leaving() {
			next = min(next, u.hurryEvery())
		}
		u.pause(ctx, next)
	}
}

// pause waits until the next heartbeat is due.
func (u *uplink) pause(ctx context.Context, next time.Duration) {
	due := time.Now().Add(next)
	soonest := time.Now().Add(u.hurryEvery())
	for ctx.Err() == nil {
		t := time.NewTimer(time.Until(due))
		select {
		case <-ctx.Done():
		case <-u.wake:
			due = time.Time{}
		case <-u.soon:
			due = soonest
		case <-t.C:
		}
		t.Stop()
		if !time.Now().Before(due) {
			return
		}
	}
}

// hurry has the next heartbeat go soon: others wait for what this node serves.
func (u *uplink) hurry() {
	select {
	case u.soon <- struct{}{}:
	default:
	}
}

// hurryEvery is how far apart such heartbeats are: the leader of a large cluster
// is not to be flooded by them.
func (u *uplink) hurryEvery() time.Duration {
	return min(minHurry+time.Duration(u.m.memberCount())*hurryPerMember, heartbeatEvery)
}

// beat sends one heartbeat; a new leader's first one, and the first after one
// that failed, makes the worker report everything again.
func (u *uplink) beat(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, heartbeatTimeout)
	defer cancel()
	u.mu.Lock()
	u.cancel = cancel
	u.mu.Unlock()
	leader := u.m.LeaderID()
	if leader != u.m.self {
		watch := time.AfterFunc(unanswered, func() { u.dialHost(leader) })
		defer watch.Stop()
	}
	var reply api.HeartbeatReply
	beat := api.Heartbeat{Node: u.m.self, Usage: u.m.usage(), Problems: u.m.ownProblems(), Blind: u.m.worker.Blind(), Vote: u.m.vote()}
	beat.Tasks, beat.Images = u.m.gauge.untold(), u.m.held.untold()
	beat.Trust, beat.Authority = u.m.trust.version(), u.m.identity.Load().CAHash
	beat.Weights = u.m.weightsID()
	beat.Serves, beat.Leaving = u.m.serves(), u.m.worker.Leaving()
	if err := u.call(ctx, "/v1/node/heartbeat", beat, &reply); err != nil {
		u.m.log.Debug("heartbeat", "error", err)
		u.m.peers.Drop(leader)
		u.noteRemoval(err)
		u.m.trust.refused(err)
		u.cutOff = true
		return false
	}
	u.m.gauge.heard(beat.Tasks)
	u.m.held.heard(beat.Images)
	u.mu.Lock()
	u.removed, u.heard = time.Time{}, time.Now()
	if told := (position{reply.Epoch, reply.Index}); u.told.before(told) {
		u.told = told
	}
	u.mu.Unlock()
	if u.cutOff {
		u.m.meet(reply.Leader)
	}
	if beat.Leaving {
		u.m.worker.Served(worker.Position(reply.Served))
	}
	u.m.images.early.Want(reply.Standby)
	u.m.trust.want(reply.Trust, reply.Authority)
	if reply.Weights != nil {
		u.m.serveTable(func() lb.Input { return u.m.weigh(*reply.Weights) })
	}
	if u.m.setLeader(reply.Leader) || u.cutOff {
		u.m.resendAll()
	}
	u.cutOff = false
	return true
}

// removedAfter is how long every voter that answers must say that this node is
// no member before it believes it: one that has just joined is not known to all
// yet.
const removedAfter = 5 * time.Second

// noteRemoval ends this node's membership when the cluster has removed it.
func (u *uplink) noteRemoval(err error) {
	var e *api.Error
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case !errors.As(err, &e):
	case e.Code != api.CodeRemoved:
		u.removed = time.Time{}
	case u.removed.IsZero():
		u.removed = time.Now()
	case time.Since(u.removed) > removedAfter:
		u.removed = time.Time{}
		select {
		case u.m.a.expelled <- u.m:
		default:
		}
	}
}

// dialHost finds out whether the leader's host is alive, and keeps the result.
func (u *uplink) dialHost(leader cluster.NodeID) {
	addr, ok := u.m.Address(leader)
	if !ok || leader == u.m.self || !u.startDial(leader) {
		return
	}
	o := prober{u.m}.tries(u.m.ctx, addr, probeTries)
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.dialed, leader)
	u.dials[leader] = health.ProbeResult{Node: leader, By: u.m.self, Outcome: o, At: time.Now()}
}

// startDial claims the dial of a host; there is one at a time.
func (u *uplink) startDial(id cluster.NodeID) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.dialed[id] {
		return false
	}
	u.dialed[id] = true
	return true
}

// foundSilent reports whether this node has just dialled the host by itself and
// found it silent, so that a new leader that asks need not wait for it again.
func (u *uplink) foundSilent(address string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	for id, r := range u.dials {
		if at, _ := u.m.Address(id); at == address && r.Outcome == health.Silent && time.Since(r.At) < heartbeatTimeout {
			return true
		}
	}
	return false
}

// recentDials are the results of dialling leaders that did not answer.
func (u *uplink) recentDials() []health.ProbeResult {
	u.mu.Lock()
	defer u.mu.Unlock()
	var out []health.ProbeResult
	for _, r := range u.dials {
		out = append(out, r)
	}
	return out
}
