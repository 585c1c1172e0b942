package voters

import (
	"cmp"
	"slices"
	"time"

	"github.com/musterhq/muster/cluster"
)

// seats is the table at which the voters sit, and who should sit there.
type seats struct {
	in        Input
	target    int
	voters    []Member // all who vote now
	keep      []Member // of these, who stays
	leaving   []Member // of these, who should go, the most urgent first
	nonvoters []Member
	strays    []Member // outside and granted raft streams
	next      []Member // who should take the free seats, best first
}

func newSeats(in Input) *seats {
	s := &seats{in: in}
	members := slices.Clone(in.Members)
	slices.SortFunc(members, bySeniority)
	nodes := 0
	for _, m := range members {
		if !m.Gone {
			nodes++
		}
		switch m.Role {
		case Voter:
			s.voters = append(s.voters, m)
			if s.unfit(m) == "" {
				s.keep = append(s.keep, m)
			} else {
				s.leaving = append(s.leaving, m)
			}
		case Nonvoter:
			s.nonvoters = append(s.nonvoters, m)
		default:
			if m.Granted {
				s.strays = append(s.strays, m)
			}
		}
	}
	s.target = Target(nodes)
	slices.SortStableFunc(s.leaving, func(a, b Member) int { return cmp.Compare(s.urgency(a), s.urgency(b)) })
	s.next = s.choose(members)
	if len(s.leaving) == 0 && len(s.next) == 0 {
		s.spread(members)
	}
	return s
}

// bySeniority puts the node first that has been a member for longest.
func bySeniority(a, b Member) int {
	return cmp.Or(a.Joined.Compare(b.Joined), cmp.Compare(a.ID, b.ID))
}

// unfit says why a voter should not stay one, or "".
func (s *seats) unfit(m Member) string {
	switch {
	case m.Gone:
		return "it has left the cluster"
	case m.Lost && m.ID != s.in.Leader:
		return "it has lost its log"
	case m.Condition != cluster.Ready && s.in.Now.Sub(m.Since) >= LostAfter:
		return "it has been silent for " + LostAfter.String()
	case s.behind(m) >= LostAfter:
		return "it has not followed the log for " + LostAfter.String()
	case m.Availability == cluster.Drained:
		return "it is drained"
	}
	return ""
}

func (s *seats) urgency(m Member) int {
	switch {
	case m.Gone || m.Lost:
		return 0
	case !s.answers(m):
		return 1
	case m.ID != s.in.Leader:
		return 2
	}
	return 3 // the leader last: it has to hand over first
}

// fit reports whether a node can take a seat now.
func (s *seats) fit(m Member) bool {
	stuck := m.Role == Nonvoter && !m.CaughtUp && !m.RoleSince.IsZero() && s.in.Now.Sub(m.RoleSince) >= StuckAfter
	return !m.Gone && !m.Outdated && m.Role != Voter && m.Condition == cluster.Ready && m.Availability != cluster.Drained && !stuck
}

// choose picks nodes for the free seats, one zone after the other, and only as
// many as bring the number of voters to an odd one: a second voter beside one,
// or a fourth beside three, makes a cluster weaker.
func (s *seats) choose(members []Member) []Member {
	zones := perZone(s.keep)
	var chosen []Member
	for len(s.keep)+len(chosen) < s.target {
		best, ok := s.best(members, chosen, zones)
		if !ok {
			break
		}
		chosen = append(chosen, best)
		zones[best.Zone]++
	}
	if len(s.leaving) == 0 && len(chosen) > 0 && (len(s.keep)+len(chosen))%2 == 0 {
		chosen = chosen[:len(chosen)-1]
	}
	return chosen
}

// best is the fit node that is not chosen yet and comes first: in the zone with
// the fewest voters, uncordoned, already receiving the log, longest a member.
func (s *seats) best(members, chosen []Member, zones map[string]int) (Member, bool) {
	var fit []Member
	for _, m := range members {
		taken := slices.ContainsFunc(chosen, func(c Member) bool { return c.ID == m.ID })
		if s.fit(m) && !taken {
			fit = append(fit, m)
		}
	}
	if len(fit) == 0 {
		return Member{}, false
	}
	return slices.MinFunc(fit, func(a, b Member) int {
		return cmp.Or(
			cmp.Compare(zones[a.Zone], zones[b.Zone]),
			cmp.Compare(one(cordoned(a)), one(cordoned(b))),
			cmp.Compare(b.Role, a.Role),
			bySeniority(a, b),
		)
	}), true
}

func cordoned(m Member) bool { return m.Availability == cluster.Cordoned }

// one orders false before true.
func one(b bool) int {
	if b {
		return 1
	}
	return 0
}

// spread swaps one voter of a crowded zone for a node of a zone that has at
// least two voters fewer, while everybody is well.
func (s *seats) spread(members []Member) {
	if len(s.voters) != s.target || s.live() != len(s.voters) {
		return
	}
	zones := perZone(s.keep)
	in, ok := s.best(members, nil, zones)
	if !ok || cordoned(in) {
		return
	}
	out, ok := s.surplus()
	if !ok || zones[out.Zone] < zones[in.Zone]+2 {
		return
	}
	s.next = []Member{in}
	s.leaving = []Member{out}
	s.keep = slices.DeleteFunc(s.keep, func(m Member) bool { return m.ID == out.ID })
}

// surplus is the voter that the others miss least: not the leader, silent, in
// the most crowded zone, cordoned, newest.
func (s *seats) surplus() (Member, bool) {
	if len(s.keep) == 0 {
		return Member{}, false
	}
	zones := perZone(s.keep)
	return slices.MinFunc(s.keep, func(a, b Member) int {
		return cmp.Or(
			cmp.Compare(one(a.ID == s.in.Leader), one(b.ID == s.in.Leader)),
			cmp.Compare(one(s.answers(a)), one(s.answers(b))),
			cmp.Compare(zones[b.Zone], zones[a.Zone]),
			cmp.Compare(one(cordoned(b)), one(cordoned(a))),
			bySeniority(b, a),
		)
	}), true
}

func perZone(members []Member) map[string]int {
	zones := map[string]int{}
	for _, m := range members {
		zones[m.Zone]++
	}
	return zones
}

func (s *seats) leads() bool {
	return slices.ContainsFunc(s.voters, func(m Member) bool { return m.ID == s.in.Leader })
}

// live is how many voters answer now.
func (s *seats) live() int { return s.count(s.voters) }

func (s *seats) count(members []Member) int {
	n := 0
	for _, m := range members {
		if s.answers(m) {
			n++
		}
	}
	return n
}

// answers reports whether a change can count on a member's vote.
func (s *seats) answers(m Member) bool {
	return m.Condition == cluster.Ready && !m.Gone && !m.Lost && s.behind(m) < StallAfter
}

// behind is for how long a voter has not kept up. The leader has its own log.
func (s *seats) behind(m Member) time.Duration {
	if m.BehindSince.IsZero() || m.Role != Voter || m.ID == s.in.Leader {
		return 0
	}
	return s.in.Now.Sub(m.BehindSince)
}
