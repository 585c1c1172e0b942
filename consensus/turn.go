package consensus

import (
	"time"

	"github.com/hashicorp/raft"
)

// turns are the voters' times to stand for election once they hear nothing of
// their leader: one after the other. Raft's own timer, a random one between
// once and twice the heartbeat timeout, stays behind it. A vote is refused by
// who still has a leader, so that an election is decided by the second of three
// voters: their random times are 1.7 timeouts after the leader's last word on
// average, these are 1.2.
type turns struct {
	timer *time.Timer
	stood time.Time // the leader's last word when this node had its turn
}

// A follower's turn, in hundredths of the time that it waits for its leader: the
// first one leaves some room for a late heartbeat, and each that follows is after
// what a round of votes takes.
const (
	firstTurn = 110
	nextTurn  = 10
)

func newTurns() *turns { return &turns{timer: time.NewTimer(0)} }

// take has this node stand for election if it is its turn, and sets the timer
// for the next look.
func (s *Store) take(t *turns) {
	last := s.raft.LastContact()
	if s.raft.State() != raft.Follower || last.IsZero() || last.Equal(t.stood) {
		t.timer.Reset(s.cfg.Tuning.Heartbeat)
		return
	}
	if left := s.turn() - time.Since(last); left > 0 {
		t.timer.Reset(left)
		return
	}
	t.stood = last
	s.stand()
	t.timer.Reset(s.cfg.Tuning.Heartbeat)
}

// turn is how long this node waits for its leader: by its place among the other
// voters, in the order of their IDs.
func (s *Store) turn() time.Duration {
	_, leader := s.raft.LeaderWithID()
	self := raft.ServerID(s.cfg.NodeID)
	var before int
	for _, server := range s.raft.GetConfiguration().Configuration().Servers {
		if server.Suffrage == raft.Voter && server.ID != leader && server.ID < self {
			before++
		}
	}
	return s.cfg.Tuning.Heartbeat * time.Duration(firstTurn+nextTurn*before) / 100
}

// stand has raft look at once whether its leader is silent for too long, which
// it does when that time is cut.
func (s *Store) stand() {
	rc := s.raft.ReloadableConfig()
	longer := rc
	longer.HeartbeatTimeout++
	longer.ElectionTimeout = max(longer.HeartbeatTimeout, longer.ElectionTimeout)
	for _, rc := range []raft.ReloadableConfig{longer, rc} {
		if err := s.raft.ReloadConfig(rc); err != nil {
			s.cfg.Logger.Warn("raft does not look after its leader before its own time", "error", err)
		}
	}
}
