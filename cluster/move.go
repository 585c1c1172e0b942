package cluster

import "time"

// MoveWithin is how long a wish that a task leaves its node stands. Where the
// move is not complete by then, the task stays.
const MoveWithin = time.Hour

// Leave is the wish that a task goes on on another node. It stays where it is
// until another has taken its place, as a task of a drained node does.
type Leave struct {
	Reason string `cbor:"1,keyasint" json:"reason"` // for people: who asked, and why
	// To is the node that is asked first; where it cannot take the task, others
	// are. Empty: no node is.
	To    NodeID    `cbor:"2,keyasint,omitempty" json:"to,omitempty"`
	At    time.Time `cbor:"3,keyasint" json:"at"`
	Until time.Time `cbor:"4,keyasint" json:"until"` // when the wish ends by itself
}

// Leaving reports whether the task is still to leave its node.
func (t *Task) Leaving(now time.Time) bool {
	return t.Node != "" && t.Pinned == "" && !t.Ended() && t.Leave.Until.After(now)
}
