package cluster

import "time"

// Order says which of the two tasks of an update comes first.
type Order string

// Update orders. The empty one is start-first unless a host port or a
// single-writer volume forbids it.
const (
	StartFirst Order = "start-first"
	StopFirst  Order = "stop-first"
)

// FailureAction is what becomes of an update of which too many tasks fail.
type FailureAction string

// Failure actions. The empty one of an update is to roll back; that of a return
// to an earlier generation is to wait until the failing tasks are well.
const (
	ActionPause    FailureAction = "pause"    // nothing more is replaced
	ActionContinue FailureAction = "continue" // the rest is replaced all the same
	ActionRollback FailureAction = "rollback" // all tasks go back to the last good generation
)

// Update is how tasks of one generation replace those of another.
type Update struct {
	Parallelism int           `cbor:"1,keyasint,omitempty" json:"parallelism,omitempty"` // 0: one
	Delay       time.Duration `cbor:"2,keyasint,omitempty" json:"delay,omitempty"`
	Order       Order         `cbor:"3,keyasint,omitempty" json:"order,omitempty"`
	// Monitor is how long a new task must do well before it counts as updated;
	// 0 is DefaultMonitor.
	Monitor       time.Duration `cbor:"4,keyasint,omitempty" json:"monitor,omitempty" since:"3"`
	FailureAction FailureAction `cbor:"5,keyasint,omitempty" json:"failure_action,omitempty" since:"3"`
	// MaxFailureRatio is which part of the service's tasks may fail, 0 to 1.
	MaxFailureRatio float64 `cbor:"6,keyasint,omitempty" json:"max_failure_ratio,omitempty" since:"3"`
	// ProgressDeadline is how long a new task may take to become ready before it
	// counts as failed; 0 is DefaultProgressDeadline.
	ProgressDeadline time.Duration `cbor:"7,keyasint,omitempty" json:"progress_deadline,omitempty" since:"3"`
	// Canary is how many tasks of a new generation there are until it is promoted;
	// 0: all, without a promotion.
	Canary int `cbor:"8,keyasint,omitempty" json:"canary,omitempty" since:"3"`
}

// Defaults of an Update: Docker's, and Kubernetes' for the deadline.
const (
	DefaultMonitor          = 5 * time.Second
	DefaultProgressDeadline = 10 * time.Minute
)

// Monitored is how long a failure of a new task counts against the update.
func (u Update) Monitored() time.Duration {
	if u.Monitor > 0 {
		return u.Monitor
	}
	return DefaultMonitor
}

// Deadline is how long a new task may take to become ready.
func (u Update) Deadline() time.Duration {
	if u.ProgressDeadline > 0 {
		return u.ProgressDeadline
	}
	return DefaultProgressDeadline
}

// rounding is what a product of a ratio may lack of a whole task.
const rounding = 1e-9

// Allows reports whether so many of the service's tasks may fail.
func (u Update) Allows(failing, tasks int) bool {
	return u.FailureAction == ActionContinue || float64(failing) <= u.MaxFailureRatio*float64(tasks)+rounding
}

// Policy is how the service's tasks are replaced at present: by Rollback as long
// as it returns to an earlier generation, else by Update. Its order is never
// empty.
func (s *Service) Policy() Update {
	u := s.Spec.Update
	if s.returning() {
		u.Delay, u.FailureAction, u.MaxFailureRatio = 0, "", 0
		if s.Spec.Rollback != nil {
			u = *s.Spec.Rollback
		}
	}
	if u.Order == "" {
		u.Order = s.Spec.Template.order()
	}
	return u
}

// order is stop-first when two tasks of t cannot run side by side on one node,
// because they share a host port or write to the same volume, and when a device
// that one gives up is likely to be the only one for the other.
func (t *Template) order() Order {
	if len(t.HostPorts()) > 0 || len(t.Devices) > 0 {
		return StopFirst
	}
	for _, m := range t.Container.Mounts {
		if m.Type == MountVolume && m.Source != "" && !m.ReadOnly {
			return StopFirst
		}
	}
	return StartFirst
}
