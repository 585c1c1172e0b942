package voters

import (
	"time"

	"github.com/musterhq/muster/cluster"
)

// Patience with members that do not do their part.
const (
	// LostAfter is how long a voter may be silent before it is replaced.
	LostAfter = 30 * time.Second
	// StuckAfter is how long a non-voter may take to catch up before another
	// one is tried.
	StuckAfter = 2 * time.Minute
	// StallAfter is how long a voter whose agent answers may stay behind the log
	// without a step forward, before it is told to start its raft again, and
	// again after RestartEvery. After LostAfter it is replaced.
	StallAfter   = 10 * time.Second
	RestartEvery = 30 * time.Second
)

// A leader gives leadership away because of its disk when all of this holds;
// the factor and the time it must have led keep leadership from going back and
// forth.
const (
	// SlowWrite is what one append to the log takes on a slow disk, by the
	// median of what a member measured lately.
	SlowWrite = 100 * time.Millisecond
	// FasterBy is how many times faster another voter's disk must be.
	FasterBy = 4
	// LedFor is how long a leader stays one however slow its disk is.
	LedFor = time.Minute
)

// Role is a node's part in raft's configuration.
type Role uint8

// Roles.
const (
	Outside Role = iota // not in the configuration
	Nonvoter
	Voter
)

// Member is what is known of one node, or of one server of raft's
// configuration that is no node of the cluster any more (Gone).
type Member struct {
	ID           cluster.NodeID
	Zone         string // label "zone"; empty is a zone as well
	Condition    cluster.Condition
	Since        time.Time // of Condition
	Availability cluster.Availability
	Joined       time.Time
	Gone         bool
	Outdated     bool // its binary does not know all that the log holds

	Role      Role
	RoleSince time.Time // when a Nonvoter was added; zero when that is not known
	CaughtUp  bool      // a Nonvoter that holds the log
	// Granted: hard state lets the node have raft streams. A node Outside has
	// them when its addition or removal failed halfway.
	Granted bool

	// Lost: the node says that it holds no log, though raft counts on it. What it
	// voted for is forgotten: as the server that it was it must not come back.
	Lost bool
	// BehindSince is when a Voter was last seen to keep up with the log: zero
	// while it does. Restarted is when it was last told to start its raft again.
	BehindSince, Restarted time.Time
	// Write is the median of what appending to its log took lately; 0 when too
	// little was written to tell.
	Write time.Duration
}

// Input is everything that Plan looks at.
type Input struct {
	Now      time.Time
	Leader   cluster.NodeID // the node that asks
	LedSince time.Time      // since when it leads
	Members  []Member       // in any order, no ID twice
}

// Op is a kind of change.
type Op string

// Changes of raft's configuration and, last, of its leader. Restart changes
// neither.
const (
	None               Op = ""
	AddNonvoter        Op = "add-nonvoter"
	Promote            Op = "promote"
	Demote             Op = "demote"
	Remove             Op = "remove"
	Restart            Op = "restart"             // the node's raft, not the node
	TransferLeadership Op = "transfer-leadership" // to Node
)

// Change is one step. The zero value means that there is nothing to do.
type Change struct {
	Op   Op
	Node cluster.NodeID
}

// Target is how many voters a cluster of that many nodes should have.
func Target(nodes int) int {
	switch {
	case nodes >= 7:
		return 5
	case nodes >= 3:
		return 3
	}
	return 1
}

// Plan returns the next change and the reason for it, or for doing nothing.
//
// It never leaves a configuration whose live voters are not a majority, never
// demotes the leader, and removes a lost voter only after a replacement votes,
// unless the lost one has left the cluster or has lost its log: those are
// removed first of all, because raft asks only those who stay to agree. A node
// that lost its log may then be added like any other.
func Plan(in Input) (Change, string) {
	s := newSeats(in)
	if !s.leads() {
		return Change{}, "this node is not a voter that leads"
	}
	if c, why := s.release(); c.Op != None {
		return c, why
	}
	if c, why := s.restart(); c.Op != None {
		return c, why // it may bring the quorum back
	}
	if 2*s.live() <= len(s.voters) {
		return Change{}, "there is no quorum to agree on a change"
	}
	for _, step := range []func() (Change, string){s.relieve, s.retire, s.promote, s.enlist, s.clear} {
		if c, why := step(); c.Op != None {
			return c, why
		}
	}
	return Change{}, "the voters are as they should be, or nobody can take a seat"
}
