package voters

import (
	"fmt"
	"slices"
)

// release removes a voter that has left the cluster. It may still be there, for
// the moment, but nobody can tell.
func (s *seats) release() (Change, string) {
	if len(s.leaving) == 0 || !s.leaving[0].Gone || s.leaving[0].ID == s.in.Leader {
		return Change{}, ""
	}
	return s.unseat(s.leaving[0], s.unfit(s.leaving[0]))
}

// retire takes a vote away: from those who should go once there are more voters
// than wanted, from a leader that left the cluster at once, and from the least
// missed when the cluster has shrunk.
func (s *seats) retire() (Change, string) {
	if len(s.leaving) > 0 {
		m := s.leaving[0]
		if len(s.voters) > s.target || m.Gone {
			return s.unseat(m, s.whyLeaving(m))
		}
		return Change{}, ""
	}
	if len(s.keep) > s.target {
		m, _ := s.surplus()
		return s.unseat(m, fmt.Sprintf("%d voters are enough for this cluster", s.target))
	}
	return Change{}, ""
}

func (s *seats) whyLeaving(m Member) string {
	if why := s.unfit(m); why != "" {
		return why
	}
	return fmt.Sprintf("zone %q has more voters than others", m.Zone)
}

// unseat demotes a voter that answers, removes one that does not, and makes a
// leader hand over first. It waits when the rest would have no quorum.
func (s *seats) unseat(m Member, why string) (Change, string) {
	rest := slices.DeleteFunc(slices.Clone(s.voters), func(v Member) bool { return v.ID == m.ID })
	if 2*live(rest) <= len(rest) {
		return Change{}, ""
	}
	switch {
	case m.ID == s.in.Leader:
		return s.handOver(why)
	case answers(m):
		return Change{Demote, m.ID}, why
	}
	return Change{Remove, m.ID}, why
}

// handOver gives leadership to the senior voter that stays and answers.
func (s *seats) handOver(why string) (Change, string) {
	for _, m := range s.keep {
		if m.ID != s.in.Leader && answers(m) {
			return Change{TransferLeadership, m.ID}, "the leader gives up its vote: " + why
		}
	}
	return Change{}, ""
}

// promote gives a vote to a chosen node that holds the log. Without anybody to
// replace, an odd number grows only when two are ready, so that it is an even
// one for as short as can be.
func (s *seats) promote() (Change, string) {
	var ready []Member
	for _, m := range s.next {
		if m.Role == Nonvoter && m.CaughtUp {
			ready = append(ready, m)
		}
	}
	pair := len(s.leaving) == 0 && len(s.voters)%2 == 1
	if len(ready) == 0 || pair && len(ready) < 2 || 2*(s.live()+1) <= len(s.voters)+1 {
		return Change{}, ""
	}
	return Change{Promote, ready[0].ID}, fmt.Sprintf("it holds the log; %d of %d seats have a voter that stays", len(s.keep), s.target)
}

// enlist sends the log to the next chosen node.
func (s *seats) enlist() (Change, string) {
	for _, m := range s.next {
		if m.Role == Outside {
			return Change{AddNonvoter, m.ID}, fmt.Sprintf("%d of %d seats have a voter that stays", len(s.keep), s.target)
		}
	}
	return Change{}, ""
}

// clear removes non-voters that nobody needs: the seats are taken, or this one
// could not take any. Then it finishes what failed halfway: who is outside and
// not about to be added must not have raft streams.
func (s *seats) clear() (Change, string) {
	for _, m := range s.nonvoters {
		why := s.unfit(m)
		if why == "" && len(s.keep) >= s.target {
			why = "the seats are taken"
		}
		if why != "" {
			return Change{Remove, m.ID}, why
		}
	}
	if len(s.strays) > 0 {
		return Change{Remove, s.strays[0].ID}, "it may have raft streams and has no seat"
	}
	return Change{}, ""
}
