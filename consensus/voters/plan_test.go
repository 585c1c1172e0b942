package voters

import (
	"strings"
	"testing"
	"time"

	"github.com/musterhq/muster/cluster"
)

var now = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// parse reads members from words like "A:voter,down:40s,zone=b". A node's place
// in the list is its seniority.
func parse(t *testing.T, text string) []Member {
	t.Helper()
	var out []Member
	for i, word := range strings.Fields(text) {
		id, rest, _ := strings.Cut(word, ":")
		m := Member{
			ID: cluster.NodeID(id), Condition: cluster.Ready, Since: now.Add(-time.Hour),
			Availability: cluster.Active, Joined: now.Add(time.Duration(i-100) * time.Hour),
		}
		for attr := range strings.SplitSeq(rest, ",") {
			apply(t, &m, attr)
		}
		out = append(out, m)
	}
	return out
}

func apply(t *testing.T, m *Member, attr string) {
	t.Helper()
	key, arg, _ := strings.Cut(attr, ":")
	var ago time.Duration
	if arg != "" {
		var err error
		if ago, err = time.ParseDuration(arg); err != nil {
			t.Fatal(err)
		}
	}
	switch {
	case key == "":
	case key == "voter":
		m.Role = Voter
	case key == "behind":
		m.Role, m.RoleSince = Nonvoter, now.Add(-ago)
	case key == "caughtup":
		m.Role, m.CaughtUp = Nonvoter, true
	case key == "granted":
		m.Granted = true
	case key == "outdated":
		m.Outdated = true
	case key == "lost":
		m.Lost = true
	case key == "stalled":
		m.BehindSince = now.Add(-ago)
	case key == "restarted":
		m.Restarted = now.Add(-ago)
	case key == "write":
		m.Write = ago
	case key == "gone":
		m.Gone, m.Condition = true, ""
	case key == "down", key == "away":
		m.Condition, m.Since = cluster.Condition(key), now.Add(-ago)
	case key == "drained", key == "cordoned":
		m.Availability = cluster.Availability(key)
	case strings.HasPrefix(key, "zone="):
		m.Zone = strings.TrimPrefix(key, "zone=")
	default:
		t.Fatalf("unknown attribute %q", attr)
	}
}

func TestPlan(t *testing.T) {
	for _, tc := range []struct {
		name, members, leader string
		want                  Change
		why                   string
	}{
		{"one node", "A:voter", "A", Change{}, "as they should be"},
		{"two nodes keep one voter", "A:voter B:", "A", Change{}, ""},
		{"a follower decides nothing", "A:voter B:", "B", Change{}, "not a voter that leads"},
		{"three nodes: the senior first", "A:voter B: C:", "A", Change{AddNonvoter, "B"}, "1 of 3"},
		{"then the next", "A:voter B:behind C:", "A", Change{AddNonvoter, "C"}, ""},
		{"no second voter until there can be a third", "A:voter B:caughtup C:behind", "A", Change{}, ""},
		{"both are ready", "A:voter B:caughtup C:caughtup", "A", Change{Promote, "B"}, "holds the log"},
		{"the third at once", "A:voter B:voter C:caughtup", "A", Change{Promote, "C"}, ""},
		{"three nodes, one down: stay with one voter", "A:voter B: C:down:1h", "A", Change{}, ""},
		{"a standby waits for its pair", "A:voter B:caughtup C:down:1h", "A", Change{}, ""},
		{"six nodes: three voters", "A:voter B:voter C:voter D: E: F:", "A", Change{}, ""},
		{"seven nodes: five voters", "A:voter B:voter C:voter D: E: F: G:", "A", Change{AddNonvoter, "D"}, "3 of 5"},

		{"a short silence is forgiven", "A:voter B:voter C:voter,down:29s D:", "A", Change{}, ""},
		{"a lost voter: first a replacement", "A:voter B:voter C:voter,down:30s D:", "A", Change{AddNonvoter, "D"}, "2 of 3"},
		{"that catches up", "A:voter B:voter C:voter,down:40s D:behind:10s", "A", Change{}, ""},
		{"and votes", "A:voter B:voter C:voter,down:40s D:caughtup", "A", Change{Promote, "D"}, ""},
		{"and only then the lost one goes", "A:voter B:voter C:voter,down:40s D:voter", "A", Change{Remove, "C"}, "silent"},
		{"an agent that hangs is lost as well", "A:voter B:voter C:voter,away:31s D:voter", "A", Change{Remove, "C"}, "silent"},
		{"no spare: keep", "A:voter B:voter C:voter,down:1h", "A", Change{}, ""},
		{"a spare that is down is none", "A:voter B:voter C:voter,down:1h D:down:1m", "A", Change{}, ""},
		{"a spare that is drained is none", "A:voter B:voter C:voter,down:1h D:drained", "A", Change{}, ""},
		{"a spare that must be upgraded first is none", "A:voter B:voter C:voter,down:1h D:outdated", "A", Change{}, ""},
		{"a stuck spare: try the next", "A:voter B:voter C:voter,down:1h D:behind:3m E:", "A", Change{AddNonvoter, "E"}, ""},
		{"a stuck spare without a next waits", "A:voter B:voter C:voter,down:1h D:behind:3m", "A", Change{}, ""},
		{"no quorum", "A:voter B:voter,down:1h C:voter,down:1h D: E:", "A", Change{}, "no quorum"},
		{"two of five lost: one at a time", "A:voter B:voter C:voter D:voter,down:1h E:voter,down:1h F:voter G:", "A", Change{Remove, "D"}, ""},

		{"a node that left goes without a replacement", "A:voter B:voter C:voter,gone", "A", Change{Remove, "C"}, "left the cluster"},
		{"one of two left: whoever stays needs nobody else", "A:voter B:voter,gone", "A", Change{Remove, "B"}, "left the cluster"},
		{"and the cluster shrinks to one", "A:voter B:voter", "A", Change{Demote, "B"}, "1 voters are enough"},
		{"and the demoted one goes", "A:voter B:caughtup", "A", Change{Remove, "B"}, "seats are taken"},
		{"a shrinking cluster sheds silent voters first", "A:voter B:voter C:voter,down:5s D:voter E:voter F:", "A", Change{Remove, "C"}, ""},
		{"those who left go before anything else", "A:voter B:voter,gone C:voter,down:5s D:voter,drained E:voter F:down:5s G:down:1h", "A", Change{Remove, "B"}, ""},
		{"one silent, one gone: no majority answers", "A:voter B:voter,down:5s C:voter,gone", "A", Change{}, "no quorum"},
		{"six nodes left of seven", "A:voter B:voter C:voter D:voter E:voter F:", "A", Change{Demote, "E"}, ""},

		{"a drained voter is replaced", "A:voter B:voter C:voter,drained D:", "A", Change{AddNonvoter, "D"}, ""},
		{"then demoted", "A:voter B:voter C:voter,drained D:voter", "A", Change{Demote, "C"}, "drained"},
		{"a drained leader hands over first", "A:voter,drained B:voter C:voter D:voter", "A", Change{TransferLeadership, "B"}, "drained"},
		{"the only voter is drained", "A:voter,drained B:", "A", Change{AddNonvoter, "B"}, ""},
		{"and replaced", "A:voter,drained B:caughtup", "A", Change{Promote, "B"}, ""},
		{"and hands over", "A:voter,drained B:voter", "A", Change{TransferLeadership, "B"}, ""},
		{"to be demoted", "A:voter,drained B:voter", "B", Change{Demote, "A"}, ""},
		{"cordoned nodes come last", "A:voter B:cordoned C: D:", "A", Change{AddNonvoter, "C"}, ""},

		{"a drained leader leads no longer, spare or not", "A:voter,drained B:voter C:voter", "A", Change{TransferLeadership, "B"}, "drained"},
		{"but keeps its vote then", "A:voter,drained B:voter C:voter", "B", Change{}, ""},
		{"all are drained: somebody has to lead", "A:voter,drained B:voter,drained C:voter,drained", "A", Change{}, ""},
		{"not to one that is silent, behind or slow", "A:voter,drained B:voter,away:2s C:voter,stalled:3s D:voter,write:300ms E:voter F: G:", "A", Change{TransferLeadership, "E"}, ""},

		{"a slow disk does not lead", "A:voter,write:400ms B:voter,write:300ms C:voter,write:90ms", "A", Change{TransferLeadership, "C"}, "400ms"},
		{"a slow disk among slow ones does", "A:voter,write:400ms B:voter,write:300ms C:voter,write:150ms", "A", Change{}, ""},
		{"one that nothing is known of is no better", "A:voter,write:400ms B:voter C:voter", "A", Change{}, ""},
		{"one that stays behind is no better", "A:voter,write:400ms B:voter,write:1ms,stalled:3s C:voter,write:1ms,away:2s", "A", Change{}, ""},
		{"a good disk leads on beside a better one", "A:voter,write:99ms B:voter,write:1ms C:voter,write:1ms", "A", Change{}, ""},

		{"a voter that lost its log goes at once", "A:voter B:voter C:voter,lost D:", "A", Change{Remove, "C"}, "lost its log"},
		{"also when it was the other of two", "A:voter B:voter,lost", "A", Change{Remove, "B"}, "lost its log"},
		{"not when the rest cannot agree", "A:voter B:voter,down:1s C:voter,lost", "A", Change{}, "no quorum"},
		{"outside it is a node like any other", "A:voter B:voter C:lost,granted", "A", Change{AddNonvoter, "C"}, "2 of 3"},
		{"and votes again when it holds the log", "A:voter B:voter C:caughtup", "A", Change{Promote, "C"}, ""},
		{"a non-voter that lost its log goes", "A:voter B:voter C:voter D:behind:10s,lost", "A", Change{Remove, "D"}, "lost its log"},
		{"two lost their logs: one at a time", "A:voter B:voter,lost C:voter,lost D:voter E:voter F: G:", "A", Change{Remove, "B"}, ""},

		{"a short lag is forgiven", "A:voter B:voter C:voter,stalled:9s D:", "A", Change{}, ""},
		{"a voter that stays behind starts its raft again", "A:voter B:voter C:voter,stalled:10s D:", "A", Change{Restart, "C"}, "not followed"},
		{"and has time for that", "A:voter B:voter C:voter,stalled:29s,restarted:19s D:", "A", Change{}, ""},
		{"then it is replaced", "A:voter B:voter C:voter,stalled:30s,restarted:20s D:", "A", Change{AddNonvoter, "D"}, "2 of 3"},
		{"and removed", "A:voter B:voter C:voter,stalled:50s,restarted:20s D:voter", "A", Change{Remove, "C"}, "not followed"},
		{"without a spare it is told again", "A:voter B:voter C:voter,stalled:40s,restarted:30s", "A", Change{Restart, "C"}, ""},
		{"its vote is not counted on", "A:voter B:voter,stalled:15s,restarted:5s C:voter,down:1s D:", "A", Change{}, "no quorum"},
		{"the leader is never behind itself", "A:voter,stalled:1h B:voter C:voter", "A", Change{}, "as they should be"},

		{"an addition that failed halfway is tried again", "A:voter B:granted C:", "A", Change{AddNonvoter, "B"}, ""},
		{"or withdrawn when another was taken", "A:voter B:voter C:voter D:granted,down:1m", "A", Change{Remove, "D"}, "streams"},
		{"but not before the seats are taken", "A:voter B:voter C:voter,down:1h D:granted,down:1m E:", "A", Change{AddNonvoter, "E"}, ""},
		{"seats keep their streams", "A:voter,granted B:voter,granted C:voter,granted", "A", Change{}, ""},

		{"zones before seniority", "A:voter,zone=a B:zone=a C:zone=a D:zone=b", "A", Change{AddNonvoter, "D"}, ""},
		{"a crowded zone gives way", "A:voter,zone=a B:voter,zone=a C:voter,zone=b D:zone=c", "A", Change{AddNonvoter, "D"}, ""},
		{"the new zone votes", "A:voter,zone=a B:voter,zone=a C:voter,zone=b D:caughtup,zone=c", "A", Change{Promote, "D"}, ""},
		{"the crowd shrinks, the leader stays", "A:voter,zone=a B:voter,zone=a C:voter,zone=b D:voter,zone=c", "A", Change{Demote, "B"}, ""},
		{"two and one is even enough", "A:voter,zone=a B:voter,zone=a C:voter,zone=b D:zone=b", "A", Change{}, ""},
		{"no reshuffle while one is silent", "A:voter,zone=a B:voter,zone=a C:voter,zone=b,away:2s D:zone=c", "A", Change{}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, why := Plan(Input{Now: now, Leader: cluster.NodeID(tc.leader), LedSince: now.Add(-LedFor), Members: parse(t, tc.members)})
			if got != tc.want {
				t.Errorf("got %v (%s), want %v", got, why, tc.want)
			}
			if !strings.Contains(why, tc.why) || why == "" {
				t.Errorf("reason %q does not say %q", why, tc.why)
			}
		})
	}
}
