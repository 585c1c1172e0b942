package worker

import (
	"cmp"
	"slices"

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
// after Limits.KeepFor, or at once when its service is not in Services.
type Set struct {
	Epoch       uint64       `cbor:"1,keyasint"`
	Index       uint64       `cbor:"2,keyasint"`
	Assignments []Assignment `cbor:"3,keyasint"`
	// Services are those that had or have tasks on this node and are not gone,
	// in the order of their IDs; nil: not known, all may be there. They are not
	// kept on disk: what lies there may be older than a service's first container.
	Services []cluster.ServiceID `cbor:"-"`
	// Networks are those of the assignments, each once.
	Networks []cluster.Network `cbor:"4,keyasint,omitempty"`
}

// Position is a point of the cluster's history.
type Position struct{ Epoch, Index uint64 }

// Before reports whether p comes before o.
func (p Position) Before(o Position) bool {
	return p.Epoch < o.Epoch || p.Epoch == o.Epoch && p.Index < o.Index
}

// Next is the set to go on with when got comes after s, and whether that is
// news. One that was read from disk keeps its observations.
func (s Set) Next(got Set) (next Set, news bool) {
	switch {
	case got.Newer(s):
		return got, true
	case got.Epoch == s.Epoch && got.Index == s.Index && s.Services == nil && got.Services != nil:
		s.Services, s.Networks = got.Services, got.Networks
		return s, true
	}
	return s, false
}

// Newer reports whether s supersedes than.
func (s Set) Newer(than Set) bool {
	return cmp.Or(cmp.Compare(s.Epoch, than.Epoch), cmp.Compare(s.Index, than.Index)) > 0
}

// with is s with newer observations, for the disk: what was over before a
// restart must not run again after it, even if its container is gone.
func (s Set) with(all []Observation) Set {
	latest := make(map[cluster.TaskID]cluster.Observed, len(all))
	for _, o := range all {
		latest[o.Task] = o.Observed
	}
	s.Assignments = slices.Clone(s.Assignments)
	for i := range s.Assignments {
		t := &s.Assignments[i].Task
		if o, ok := latest[t.ID]; ok {
			t.Observed = o
		}
	}
	return s
}

// Observation is what this node last saw of one of its tasks.
type Observation struct {
	Task     cluster.TaskID
	Observed cluster.Observed
}
