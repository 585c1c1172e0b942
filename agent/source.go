package agent

import (
	"math/rand/v2"
	"slices"

	"github.com/musterhq/muster/cluster"
)

// sources remembers which voters were of no use as the source of a feed.
type sources struct {
	m     *member
	tried map[cluster.NodeID]bool
}

// next is this node itself while its own state serves, else a voter by chance,
// so that workers spread over them, that was not tried yet; "" when none is
// known. What is known of the others may be old: one that is said to be down is
// tried last, but it is tried.
func (s *sources) next() cluster.NodeID {
	if s.m.voter.Load() != nil && (!s.tried[s.m.self] || s.m.ownStateServes()) {
		return s.m.self
	}
	candidates := s.m.voters()
	if l := s.m.leaderID(); l != "" && !slices.Contains(candidates, l) {
		candidates = append(candidates, l) // a heartbeat named it
	}
	var up, down []cluster.NodeID
	for _, id := range candidates {
		k, _ := s.m.member(id)
		switch {
		case id == s.m.self || s.tried[id]:
		case k.Condition == cluster.Down:
			down = append(down, id)
		default:
			up = append(up, id)
		}
	}
	for _, ids := range [][]cluster.NodeID{up, down} {
		if len(ids) > 0 {
			return ids[rand.IntN(len(ids))]
		}
	}
	s.served("")
	return ""
}

// left notes that a source was of no use, or is no longer.
func (s *sources) left(id cluster.NodeID) { s.tried[id] = true }

// served notes that a source was of use: the others may be so again. This node's
// own state is judged by itself.
func (s *sources) served(by cluster.NodeID) {
	own := s.tried[s.m.self] && by != s.m.self
	clear(s.tried)
	if own {
		s.tried[s.m.self] = true
	}
}
