package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/musterhq/muster/agent/worker"
	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/lb"
)

// Pace of following a feed.
const (
	feedRetry   = 100 * time.Millisecond
	feedSilence = 2 * time.Second // without a frame a voter is left
	feedLag     = time.Second     // behind the leader's word a voter is left
)

// position says how new a frame is.
type position struct{ epoch, index uint64 }

func (p position) before(o position) bool {
	return p.epoch < o.epoch || p.epoch == o.epoch && p.index < o.index
}

// followFeed keeps this node's assignments, members and table as some voter
// has them: its own replicated state on a voter, else a stream from one.
func (m *member) followFeed(ctx context.Context) {
	set := m.worker.Snapshot() // from disk
	at := position{set.Epoch, set.Index}
	from := sources{m: m, tried: map[cluster.NodeID]bool{}}
	for ctx.Err() == nil {
		var err error
		id := from.next()
		switch v := m.voter.Load(); {
		case id == m.self && v != nil:
			err = m.followSelf(ctx, v, &at)
		case id != m.self && id != "":
			err = m.followPeer(ctx, id, &at, func() { from.served(id) })
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			m.log.Debug("leaving a feed", "voter", id, "error", err)
		}
		from.left(id)
		sleep(ctx, feedRetry)
	}
}

// followSelf reads this voter's own state until the node stops being a voter or
// its state stays behind.
func (m *member) followSelf(ctx context.Context, v *voter, at *position) error {
	w := v.store.Watch()
	defer w.Close()
	frames := m.a.server.Frames(m.self)
	var lag lagging
	for m.voter.Load() == v {
		w.Take()
		// A store that was just opened may be older than what the worker has from
		// disk. What it says then is not even compared with: it would be no news.
		view := v.store.View()
		if view.Epoch() > 0 && !(position{view.Epoch(), view.Index()}).before(*at) {
			m.takeFrame(frames(view, m.LeaderID()), at)
		}
		if lag.tooLong(!m.ownStateServes()) {
			return fmt.Errorf("this voter's state is behind the leader's, or gets nothing from a leader")
		}
		var again <-chan time.Time // while all is well every heartbeat sees that it is
		if lag.begun() {
			again = time.After(feedLag)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-w.C():
		case <-m.rolled:
		case <-again:
		}
	}
	return nil
}

// followPeer reads the stream of another voter; served is called when it is of use.
func (m *member) followPeer(ctx context.Context, from cluster.NodeID, at *position, served func()) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watchdog := time.AfterFunc(feedSilence, cancel)
	defer watchdog.Stop()
	body, err := m.peers.Stream(ctx, from, http.MethodGet, "/v1/node/feed", nil)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	dec := json.NewDecoder(body)
	var lag lagging
	for first := true; ; first = false {
		var f api.Feed
		if err := dec.Decode(&f); err != nil {
			return fmt.Errorf("read the feed: %w", err)
		}
		watchdog.Reset(feedSilence)
		here := position{f.Epoch, f.Index}
		if first && here.before(*at) {
			return fmt.Errorf("the voter is behind what this node knows already")
		}
		m.takeFrame(f, at)
		if f.Leader != "" {
			served()
		}
		if lag.tooLong(m.uplink.behind(here) || f.Leader == "") {
			return fmt.Errorf("the voter is behind the leader, or has none")
		}
		if m.voter.Load() != nil {
			if m.lostVote(f) {
				return m.Demote(ctx)
			}
			if m.ownStateServes() {
				return nil
			}
		}
	}
}

// lostVote reports whether another voter's frame, newer than this voter's own
// state and than its promotion, says that this node is a voter no longer. It
// was away when that was decided, and nobody sends it the log any more.
func (m *member) lostVote(f api.Feed) bool {
	v := m.voter.Load()
	return v != nil && v.granted < f.Index && m.selfPosition().before(position{f.Epoch, f.Index}) &&
		slices.ContainsFunc(f.Members, func(k api.Member) bool { return k.ID == m.self && !k.Voter })
}

// ownStateServes reports whether this voter's state is as new as the leader says
// that this node needs, and raft brings it what is new: a heartbeat names what
// concerns this node's tasks only, and a voter that was removed while it was
// away gets nothing any more.
func (m *member) ownStateServes() bool {
	return !m.uplink.behind(m.selfPosition()) && m.LeaderID() != ""
}

func (m *member) selfPosition() position {
	if v := m.voter.Load(); v != nil {
		view := v.store.View()
		return position{view.Epoch(), view.Index()}
	}
	return position{}
}

// lagging notices that a source stays behind.
type lagging struct{ since time.Time }

// begun reports whether the source was behind when it was last looked at.
func (l *lagging) begun() bool { return !l.since.IsZero() }

func (l *lagging) tooLong(behind bool) bool {
	if !behind {
		l.since = time.Time{}
		return false
	}
	if !l.begun() {
		l.since = time.Now()
	}
	return time.Since(l.since) > feedLag
}

// takeFrame spreads a frame's news. A frame older than what is known is dropped.
func (m *member) takeFrame(f api.Feed, at *position) {
	here := position{f.Epoch, f.Index}
	if here.before(*at) {
		return
	}
	*at = here
	if m.setLeader(f.Leader) {
		m.uplink.leaderChanged()
	}
	if f.Members != nil {
		before := m.Members()
		if err := m.setMembers(f.Members); err != nil {
			m.log.Warn("the members could not be written to disk", "error", err)
		}
		m.revoke(before)
		m.gossip.PeersChanged()
	}
	if f.Assignments != nil {
		set := worker.Set{Epoch: f.Epoch, Index: f.Index, Services: f.Services, Networks: f.Networks}
		for _, a := range *f.Assignments {
			set.Assignments = append(set.Assignments, worker.Assignment{Task: a.Task, Template: a.Template, Stack: a.Task.Service.Stack()})
		}
		m.worker.Assign(set)
	}
	if f.Table != nil {
		m.serveTable(func() lb.Input { return m.setTable(*f.Table) })
	}
	m.setPosition(here) // last: whoever reads it may take all of the frame for known
}

// conflicts are the published ports that two services want.
func (m *member) conflicts() []string {
	var out []string
	for _, c := range lb.Build(m.Table()).Conflicts {
		out = append(out, c.String())
	}
	return out
}

// sleep waits for d or the end of ctx.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
