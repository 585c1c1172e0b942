package placement

import (
	"strings"

	"github.com/musterhq/muster/cluster"
)

// Proposal is what would let a node take a task: all of its changes together.
type Proposal struct {
	Changes []Change
	node    *cluster.Node
}

func (q Proposal) String() string {
	var parts []string
	for _, c := range q.Changes {
		parts = append(parts, c.Text)
	}
	return strings.Join(parts, " and ")
}

// Kind is what a change is about.
type Kind string

// Kinds of changes.
const (
	Uncordon    Kind = "uncordon"
	MoreRoom    Kind = "room"
	FreePort    Kind = "port"
	MorePerNode Kind = "max-per-node"
	Tolerate    Kind = "taint"
	Allow       Kind = "constraint"
	LeavePool   Kind = "pool"
	Partition   Kind = "partition"
	Together    Kind = "apart"
	LargerNode  Kind = "size" // more than the node has when it is empty
	MoreDevices Kind = "devices"
	Stay        Kind = "stay" // on the node that it is to leave
	Recover     Kind = "recover"
)

// kinds are all of them, the cheapest first: what an operator does without
// harm, then what takes room from others, then what gives up a rule of the
// service, then what needs another host or one that works again.
var kinds = []Kind{Uncordon, MoreRoom, FreePort, MorePerNode, Stay, MoreDevices, Tolerate, Allow, LeavePool, Partition, Together, LargerNode, Recover}

// Change is one thing that would be different.
type Change struct {
	Kind Kind
	Node cluster.NodeID
	Text string // "212 MiB more on n3"
	// Room is how much more the node needs: MoreRoom's and LargerNode's.
	Room cluster.Resources

	what string  // is the same for equal changes on several nodes
	size float64 // of two of a kind the smaller is cheaper
	do   func(*Snapshot, *Request)
}

// key tells changes apart; of those with the same key only the cheapest is told.
func (c *Change) key() string { return string(c.Kind) + "\x00" + c.what }
