package cluster

import "time"

// TaskID is a ULID.
type TaskID string

// Desired is what the leader wants of a task.
type Desired string

// Desired states.
const (
	Running Desired = "running"
	Stopped Desired = "stopped"
)

// Task is one slot of a service placed on one node for one generation. The
// user's wish is in the service, Desired and Node are the leader's, Observed is
// the node agent's: one writer a field.
type Task struct {
	ID         TaskID    `cbor:"1,keyasint" json:"id"`
	Service    ServiceID `cbor:"2,keyasint" json:"service"`
	Slot       int       `cbor:"3,keyasint" json:"slot"` // from 1
	Generation uint64    `cbor:"4,keyasint" json:"generation"`
	// Pinned is the only node that may run the task (global services); empty
	// where placement is free to choose.
	Pinned NodeID `cbor:"5,keyasint,omitempty" json:"pinned,omitempty"`
	// Replaces is the task whose slot this one takes over once it is ready.
	Replaces TaskID `cbor:"6,keyasint,omitempty" json:"replaces,omitempty"`

	Node    NodeID  `cbor:"7,keyasint,omitempty" json:"node,omitempty"` // "": not placed
	Desired Desired `cbor:"8,keyasint" json:"desired"`
	// Reason is the leader's word for people: why the task is pending, or why
	// it was stopped.
	Reason    string    `cbor:"9,keyasint,omitempty" json:"reason,omitempty"`
	Resources Resources `cbor:"10,keyasint" json:"resources"` // reserved on Node
	HostPorts []Port    `cbor:"11,keyasint,omitempty" json:"host_ports,omitempty"`

	Observed Observed `cbor:"12,keyasint" json:"observed"`

	Created time.Time `cbor:"13,keyasint" json:"created"`
	Updated time.Time `cbor:"14,keyasint" json:"updated"`

	// ReadyAt is when the task was ready for the first time, and FailedAt when it
	// failed before it had been so for as long as its service monitors new tasks,
	// or began to go on failing before its update was judged.
	ReadyAt  time.Time `cbor:"15,keyasint,omitzero" json:"ready_at,omitzero" since:"3"`
	FailedAt time.Time `cbor:"16,keyasint,omitzero" json:"failed_at,omitzero" since:"3"`

	// Why is the leader's word for people on the choice of Node: the score and who
	// came second, in at most 200 bytes.
	Why   string `cbor:"17,keyasint,omitempty" json:"why,omitempty" since:"3"`
	Leave Leave  `cbor:"18,keyasint,omitzero" json:"leave,omitzero" since:"3"`
	// Devices are those of Node that the task has.
	Devices []DeviceShare `cbor:"19,keyasint,omitempty" json:"devices,omitempty" since:"3"`
	// Addresses are the task's own, one for each of its networks, in their order.
	Addresses []TaskAddress `cbor:"20,keyasint,omitempty" json:"addresses,omitempty" since:"3"`
}

// Phase is how far the node's agent got with a task.
type Phase string

// Phases, in the order of a task's life; a restart goes from PhaseBackoff back
// to PhaseStarting.
//
//	"" -> pulling -> starting -> running -> exited (Final or desired stopped)
//	                    ^           |
//	                    +- backoff <-+
const (
	PhaseNone     Phase = ""
	PhasePulling  Phase = "pulling"
	PhaseStarting Phase = "starting"
	PhaseRunning  Phase = "running"
	PhaseBackoff  Phase = "backoff"
	PhaseExited   Phase = "exited" // no container of the task runs or will run
)

// Health is the engine's verdict on a running container.
type Health string

// Health values; the empty one means that no check is configured.
const (
	HealthNone      Health = ""
	HealthStarting  Health = "starting"
	HealthHealthy   Health = "healthy"
	HealthUnhealthy Health = "unhealthy"
)

// Observed is what the node's agent last saw of a task.
type Observed struct {
	Phase       Phase         `cbor:"1,keyasint,omitempty" json:"phase,omitempty"`
	Health      Health        `cbor:"2,keyasint,omitempty" json:"health,omitempty"`
	Restarts    int           `cbor:"3,keyasint,omitempty" json:"restarts,omitempty"`
	ExitCode    int           `cbor:"4,keyasint,omitempty" json:"exit_code,omitempty"`
	ContainerID string        `cbor:"5,keyasint,omitempty" json:"container_id,omitempty"`
	Address     string        `cbor:"6,keyasint,omitempty" json:"address,omitempty"` // host IP
	Ports       []PortBinding `cbor:"7,keyasint,omitempty" json:"ports,omitempty"`
	Error       string        `cbor:"8,keyasint,omitempty" json:"error,omitempty"`
	// Final: the agent will not start the task again (completed, or given up).
	Final    bool      `cbor:"9,keyasint,omitempty" json:"final,omitempty"`
	Started  time.Time `cbor:"10,keyasint,omitempty" json:"started,omitzero"`
	Finished time.Time `cbor:"11,keyasint,omitempty" json:"finished,omitzero"`
	// NoImage: the registry and all nodes that could be asked say that they do not
	// have the task's image. The agent goes on asking.
	NoImage bool `cbor:"12,keyasint,omitempty" json:"no_image,omitempty" since:"3"`
}

// PortBinding is where the engine published a container's port on its host.
type PortBinding struct {
	Target   uint16 `cbor:"1,keyasint" json:"target"`
	Host     uint16 `cbor:"2,keyasint" json:"host"`
	Protocol string `cbor:"3,keyasint" json:"protocol"`
}

// State is what people see of a task.
type State string

// Task states.
const (
	StatePending   State = "pending"
	StateAssigned  State = "assigned"
	StatePulling   State = "pulling"
	StateStarting  State = "starting"
	StateRunning   State = "running"
	StateUnhealthy State = "unhealthy"
	StateBackoff   State = "backoff"
	StateComplete  State = "complete"
	StateFailed    State = "failed"
	StateStopped   State = "stopped"
	StateLost      State = "lost"
)

// TaskState derives the word that people see from what was decided, what was
// observed and the condition of the task's node ("" when it has none or the
// node is gone). A container whose health check has not passed yet is
// "starting"; a task on a node that is down is "lost", never running.
func TaskState(t *Task, node Condition) State {
	switch {
	case t.Observed.Phase == PhaseExited && t.Observed.Final && t.Observed.ExitCode == 0 && t.Observed.Error == "":
		return StateComplete
	case t.Observed.Phase == PhaseExited && t.Observed.Final:
		return StateFailed
	case t.Desired == Stopped && (t.Node == "" || t.Observed.Phase == PhaseExited):
		return StateStopped
	case t.Node == "":
		return StatePending
	case node == Down || node == "":
		return StateLost
	}
	switch t.Observed.Phase {
	case PhaseNone:
		return StateAssigned
	case PhasePulling:
		return StatePulling
	case PhaseStarting:
		return StateStarting
	case PhaseRunning:
		switch t.Observed.Health {
		case HealthStarting:
			return StateStarting
		case HealthUnhealthy:
			return StateUnhealthy
		default:
			return StateRunning
		}
	default:
		return StateBackoff
	}
}

// Ready reports whether the agent saw the task's container running and, where
// it has a check, healthy. It says nothing of the node's condition.
func (t *Task) Ready() bool {
	return t.Observed.Phase == PhaseRunning &&
		(t.Observed.Health == HealthNone || t.Observed.Health == HealthHealthy)
}

// Completed reports whether the task ended for good, and well.
func (t *Task) Completed() bool {
	return t.Observed.Phase == PhaseExited && t.Observed.Final && t.Observed.ExitCode == 0 && t.Observed.Error == ""
}

// Ended reports whether the task is over: nothing of it runs or will run.
func (t *Task) Ended() bool {
	if t.Observed.Phase == PhaseExited {
		return t.Observed.Final || t.Desired == Stopped
	}
	return t.Desired == Stopped && t.Node == ""
}

// Holds reports whether the task occupies its reserved resources on its node.
func (t *Task) Holds() bool { return t.Node != "" && !t.Ended() }
