package worker

import (
	"maps"
	"time"

	"github.com/musterhq/muster/cluster"
)

// Memory is what one plan tells the next. A new agent starts without one and
// takes what it can from the tasks' last observations.
type Memory struct {
	Tasks  map[cluster.TaskID]Local
	Images map[string]Image     // by digest; those that the engine lacked
	Strays map[string]time.Time // by container ID: not to be removed before
}

// Local is what is known of an assigned task besides its container.
type Local struct {
	Container string // the container last seen, by ID; "" when there is none to miss
	Ran       bool   // a container of the task has run
	Counted   Exit   // the last exit that was counted
	Restarts  int    // all of the task's life
	Streak    int    // failures in a row, which the back-off grows by
	Attempts  int    // of those, the ones that MaxAttempts counts
	NextTry   time.Time
	NextStop  time.Time
	Leaving   time.Time // since when balancers let go of the task; zero: it is not told to stop
	Left      Position  // of the state in which they have
	Anew      bool      // the container cannot be started again and is to be replaced
	Sick      time.Time // since when the container is unhealthy; zero: it is not
	Felled    time.Time // the start of the last run that was counted as failed for that; zero once one is well
	Unjudged  bool      // a run of an earlier agent that awaits its first check, see planner.unjudged
	Final     bool      // it ended or was given up
	Error     string    // of the last failure; "" once it runs
	Last      cluster.Observed
}

// Exit tells one end of a container from the next.
type Exit struct {
	Container string
	At        int64 // Unix nanoseconds
}

// Image is what happened to an image that the engine did not have. It is
// forgotten once a container was made of it.
type Image struct {
	Missing bool // the engine said so, and it was not fetched since
	Nowhere bool // neither the registry nor any node has it
	Tries   int
	NextTry time.Time
	Error   string
}

// clone is a copy whose maps may be written.
func (m Memory) clone() Memory {
	out := Memory{Tasks: maps.Clone(m.Tasks), Images: maps.Clone(m.Images), Strays: maps.Clone(m.Strays)}
	if out.Tasks == nil {
		out.Tasks = map[cluster.TaskID]Local{}
	}
	if out.Images == nil {
		out.Images = map[string]Image{}
	}
	if out.Strays == nil {
		out.Strays = map[string]time.Time{}
	}
	return out
}

// remember makes the memory of a task that this agent sees for the first time
// from what an earlier one reported.
func remember(t *cluster.Task) Local {
	o := t.Observed
	l := Local{
		Container: o.ContainerID,
		Ran:       !o.Started.IsZero() || o.Restarts > 0,
		Restarts:  o.Restarts,
		Final:     o.Final,
		Unjudged:  true,
		Last:      o,
	}
	switch o.Phase {
	case cluster.PhaseBackoff, cluster.PhaseStarting:
		l.Counted, l.Error = exitOf(o.ContainerID, o.Finished), o.Error
	case cluster.PhaseExited:
		l.Counted, l.Container, l.Error = exitOf(o.ContainerID, o.Finished), "", o.Error
	}
	return l
}

// learn takes from the cluster what this agent may have forgotten: restarts
// are never uncounted, and what is over stays over.
func (l Local) learn(o *cluster.Observed) Local {
	l.Restarts = max(l.Restarts, o.Restarts)
	if o.Final && !l.Final {
		l.Final, l.Error = true, o.Error
		l.Last.ExitCode = o.ExitCode
	}
	return l
}

func exitOf(container string, at time.Time) Exit {
	return Exit{Container: container, At: at.UnixNano()}
}
