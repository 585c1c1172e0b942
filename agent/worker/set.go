package worker

import (
	"cmp"

	"github.com/musterhq/muster/cluster"
)

// Assignment is a task of this node and what it runs.
type Assignment struct {
	Task     cluster.Task     `cbor:"1,keyasint"`
	Template cluster.Template `cbor:"2,keyasint"`
	Stack    string           `cbor:"3,keyasint"`
}

// Set is everything assigned to this node as of one index of one history.
//
// Ended tasks may stay in it as long as they are kept: their last containers
// stay for logs. The ended container of a task that has left the set goes
// after Limits.KeepFor.
type Set struct {
	Epoch       uint64       `cbor:"1,keyasint"`
	Index       uint64       `cbor:"2,keyasint"`
	Assignments []Assignment `cbor:"3,keyasint"`
}

// Newer reports whether s supersedes than.
func (s Set) Newer(than Set) bool {
	return cmp.Or(cmp.Compare(s.Epoch, than.Epoch), cmp.Compare(s.Index, than.Index)) > 0
}

// Observation is what this node last saw of one of its tasks.
type Observation struct {
	Task     cluster.TaskID
	Observed cluster.Observed
}
