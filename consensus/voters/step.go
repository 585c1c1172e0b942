package voters

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/musterhq/muster/cluster"
)

// release removes a voter that has left the cluster, or that has lost its log.
// The first may still be there, for the moment, but nobody can tell; the second
// must be out before it can come back.
func (s *seats) release() (Change, string) {
	if len(s.leaving) == 0 || s.leaving[0].ID == s.in.Leader {
		return Change{}, ""
	}
	if m := s.leaving[0]; m.Gone || m.Lost {
		return s.unseat(m, s.unfit(m))
	}
	return Change{}, ""
}

// restart has a voter start its raft again that stays behind while its agent
// answers: what is stuck in it, or on the way to it, begins anew.
func (s *seats) restart() (Change, string) {
	for _, m := range s.voters {
		due := s.in.Now.Sub(m.Restarted) >= RestartEvery
		if m.Condition == cluster.Ready && !m.Gone && !m.Lost && s.behind(m) >= StallAfter && due {
			return Change{Restart, m.ID}, fmt.Sprintf("it has not followed the log for %s, and its agent answers", s.behind(m))
		}
	}
	return Change{}, ""
}

// relieve gives leadership away from a node that drains, at once, and from one
// whose disk is slow while another's is not.
func (s *seats) relieve() (Change, string) {
	i := slices.IndexFunc(s.voters, func(m Member) bool { return m.ID == s.in.Leader })
	leader := s.voters[i]
	if leader.Availability == cluster.Drained && !leader.Gone {
		return s.handOver(s.unfit(leader))
	}
	if leader.Write < SlowWrite || s.in.Now.Sub(s.in.LedSince) < LedFor {
		return Change{}, ""
	}
	for _, m := range s.keep {
		if s.follows(m) && m.Write > 0 && m.Write*FasterBy <= leader.Write {
			return Change{TransferLeadership, m.ID}, fmt.Sprintf("the leader's disk takes %s for a write, this one's %s",
				leader.Write.Round(time.Millisecond), m.Write.Round(time.Microsecond))
		}
	}
	return Change{}, ""
}

// follows reports whether another voter answers and keeps up with the log.
func (s *seats) follows(m Member) bool {
	return m.ID != s.in.Leader && s.answers(m) && m.BehindSince.IsZero()
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
	if 2*s.count(rest) <= len(rest) {
		return Change{}, ""
	}
	switch {
	case m.ID == s.in.Leader:
		return s.handOver(why)
	case s.answers(m):
		return Change{Demote, m.ID}, why
	}
	return Change{Remove, m.ID}, why
}

// handOver gives leadership to the senior voter that stays and follows, to one
// whose disk is slow only if there is no other.
func (s *seats) handOver(why string) (Change, string) {
	var heirs []Member
	for _, m := range s.keep {
		if s.follows(m) {
			heirs = append(heirs, m)
		}
	}
	if len(heirs) == 0 {
		return Change{}, ""
	}
	heir := slices.MinFunc(heirs, func(a, b Member) int {
		return cmp.Or(cmp.Compare(one(a.Write >= SlowWrite), one(b.Write >= SlowWrite)), bySeniority(a, b))
	})
	return Change{TransferLeadership, heir.ID}, "the leader gives way: " + why
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
