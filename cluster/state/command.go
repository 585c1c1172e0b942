package state

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/musterhq/muster/cluster"
)

// Kind numbers a command type on the wire; numbers are never reused.
type Kind uint16

// Command kinds.
const (
	KindInit            Kind = 1
	KindPutToken        Kind = 2
	KindRemoveToken     Kind = 3
	KindJoinNode        Kind = 4
	KindUpdateNode      Kind = 5
	KindSetAvailability Kind = 6
	KindLabelNode       Kind = 7
	KindSetVoter        Kind = 8
	KindRemoveNode      Kind = 9
	KindPutStack        Kind = 10
	KindScale           Kind = 11
	KindRemoveStack     Kind = 12
	KindRestart         Kind = 13
	KindReconcile       Kind = 14
	KindObserve         Kind = 15
	KindPutSealed       Kind = 16
	KindNoteImages      Kind = 25
	KindRotateGossip    Kind = 30
	KindRotateCA        Kind = 31
	KindStepRotation    Kind = 32
	KindRollback        Kind = 33
	KindPromote         Kind = 34
	KindConfigure       Kind = 35
	KindMove            Kind = 36
	KindRedirect        Kind = 37
)

// Command is one entry of the replicated log.
type Command struct {
	// Request is the ULID of a user's request, applied once; empty for
	// commands that are idempotent by themselves.
	Request string
	At      time.Time // the proposer's clock
	Body    Body
	// Version is the one that the command was proposed at; 0 means Needs(Body).
	Version int
}

// Body is one of the command types of this package.
type Body interface {
	Kind() Kind
	apply(tx *tx) error
}

// Init makes the cluster with its first node.
type Init struct {
	Identity cluster.Identity `cbor:"1,keyasint"`
	Node     cluster.Node     `cbor:"2,keyasint"`
}

// PutToken adds a join token.
type PutToken struct {
	Token cluster.Token `cbor:"1,keyasint"`
}

// RemoveToken revokes a join token.
type RemoveToken struct {
	ID string `cbor:"1,keyasint"`
}

// JoinNode admits a node and uses its token once. The proposer has compared
// the secret; expiry and count are checked here.
type JoinNode struct {
	Token string       `cbor:"1,keyasint"`
	Node  cluster.Node `cbor:"2,keyasint"`
}

// UpdateNode is a node agent's account of its own host.
type UpdateNode struct {
	ID            cluster.NodeID       `cbor:"1,keyasint"`
	Address       string               `cbor:"2,keyasint"`
	APIPort       int                  `cbor:"3,keyasint"`
	GossipPort    int                  `cbor:"4,keyasint"`
	Labels        map[string]string    `cbor:"5,keyasint,omitempty"` // added to the node's
	EngineLabels  map[string]string    `cbor:"6,keyasint,omitempty"`
	OS            string               `cbor:"7,keyasint,omitempty"`
	Arch          string               `cbor:"8,keyasint,omitempty"`
	EngineVersion string               `cbor:"9,keyasint,omitempty"`
	Version       string               `cbor:"10,keyasint,omitempty"`
	Commands      int                  `cbor:"11,keyasint,omitempty"`
	Capacity      cluster.Resources    `cbor:"12,keyasint"`
	EngineError   string               `cbor:"13,keyasint,omitempty"`
	Devices       []cluster.HostDevice `cbor:"14,keyasint,omitempty" since:"3"`
	// NetworkKey and the rest are as the node's. A node gets its number with the
	// first key that it tells.
	NetworkKey  string         `cbor:"15,keyasint,omitempty" since:"3"`
	NetworkPort uint16         `cbor:"16,keyasint,omitempty" since:"3"`
	Routes      []netip.Prefix `cbor:"17,keyasint,omitempty" since:"3"`
}

// SetAvailability cordons, drains or activates a node.
type SetAvailability struct {
	Node         cluster.NodeID       `cbor:"1,keyasint"`
	Availability cluster.Availability `cbor:"2,keyasint"`
}

// LabelNode sets and removes labels.
type LabelNode struct {
	Node   cluster.NodeID    `cbor:"1,keyasint"`
	Set    map[string]string `cbor:"2,keyasint,omitempty"`
	Remove []string          `cbor:"3,keyasint,omitempty"`
}

// SetVoter grants or withdraws a node's raft streams.
type SetVoter struct {
	Node  cluster.NodeID `cbor:"1,keyasint"`
	Voter bool           `cbor:"2,keyasint"`
}

// RemoveNode forgets a node and revokes its certificate. Its tasks end.
type RemoveNode struct {
	ID cluster.NodeID `cbor:"1,keyasint"`
	// Exposed asks for another gossip key: the node knows the present one.
	Exposed bool `cbor:"2,keyasint,omitempty" since:"2"`
}

// PutStack deploys a stack: services that differ get a new generation, those
// that are absent are removed.
type PutStack struct {
	Stack    string      `cbor:"1,keyasint"`
	Services []NamedSpec `cbor:"2,keyasint"` // in name order
	// Note is kept with the generations that the deploy makes.
	Note cluster.Note `cbor:"3,keyasint,omitzero" since:"3"`
	// Basis is the stack that the deploy was planned for; it is refused where the
	// stack is another by now. nil: whatever it is.
	Basis *cluster.Basis `cbor:"4,keyasint,omitempty" since:"3"`
	// Networks are those that the stack declares and its services use, in name
	// order; networks of the stack that are absent go with the last generation of a
	// service that is in them.
	Networks []cluster.NetworkSpec `cbor:"5,keyasint,omitempty" since:"3"`
}

// NamedSpec is a service of a stack.
type NamedSpec struct {
	Name string              `cbor:"1,keyasint"`
	Spec cluster.ServiceSpec `cbor:"2,keyasint"`
}

// Scale sets a replicated service's replicas.
type Scale struct {
	Service  cluster.ServiceID `cbor:"1,keyasint"`
	Replicas int               `cbor:"2,keyasint"`
}

// RemoveStack removes some services of a stack, or all when none are named.
type RemoveStack struct {
	Stack    string   `cbor:"1,keyasint"`
	Services []string `cbor:"2,keyasint,omitempty"`
}

// Restart makes a new generation of an unchanged template.
type Restart struct {
	Service cluster.ServiceID `cbor:"1,keyasint"`
	Note    cluster.Note      `cbor:"2,keyasint,omitzero" since:"3"`
}

// Rollback takes a service back to a generation that it had before.
type Rollback struct {
	Service cluster.ServiceID `cbor:"1,keyasint"`
	To      uint64            `cbor:"2,keyasint,omitempty"` // 0: the one that was good last
	Note    cluster.Note      `cbor:"3,keyasint,omitzero"`
}

// Promote gives all tasks of a service the generation that its canary has.
type Promote struct {
	Service    cluster.ServiceID `cbor:"1,keyasint"`
	Generation uint64            `cbor:"2,keyasint"` // that the user saw
	Note       cluster.Note      `cbor:"3,keyasint,omitzero"`
}

// Configure changes the settings of the cluster.
type Configure struct {
	Change cluster.SettingsChange `cbor:"1,keyasint"`
}

// Move has tasks leave their nodes and go on elsewhere, and ends the earlier
// wishes about other tasks of their services. Every part is checked: stale ones
// are refused one by one and returned in Result.Refused.
type Move struct {
	Tasks []MoveTask `cbor:"1,keyasint,omitempty"`
	// Services are others whose earlier wishes end.
	Services []cluster.ServiceID `cbor:"2,keyasint,omitempty"`
	Note     cluster.Note        `cbor:"3,keyasint,omitzero"`
}

// MoveTask names what the wish rests on: a task that is not on that node any more
// is not asked to leave.
type MoveTask struct {
	Task cluster.TaskID `cbor:"1,keyasint"`
	From cluster.NodeID `cbor:"2,keyasint"`
	To   cluster.NodeID `cbor:"3,keyasint,omitempty"` // which is asked first; "": none
	Why  string         `cbor:"4,keyasint,omitempty"`
}

// Redirect has the new connections to a service's published ports go to the tasks
// of another.
type Redirect struct {
	Service cluster.ServiceID `cbor:"1,keyasint"`
	To      cluster.ServiceID `cbor:"2,keyasint,omitempty"` // "": its own again
	Note    cluster.Note      `cbor:"3,keyasint,omitzero"`
}

// Reconcile is one decision of the leader. Every part is checked again: stale
// ones are refused one by one and returned in Result.Refused.
type Reconcile struct {
	Conditions []NodeCondition     `cbor:"1,keyasint,omitempty"`
	Create     []cluster.Task      `cbor:"2,keyasint,omitempty"` // may be placed already
	Assign     []Assign            `cbor:"3,keyasint,omitempty"`
	Stop       []StopTask          `cbor:"4,keyasint,omitempty"`
	Explain    []Explain           `cbor:"5,keyasint,omitempty"`
	SetAside   []SetAside          `cbor:"6,keyasint,omitempty"`
	Forget     []cluster.ServiceID `cbor:"7,keyasint,omitempty"` // removed services whose tasks are over
	Verdicts   []Verdict           `cbor:"8,keyasint,omitempty" since:"3"`
}

// Empty reports whether r decides nothing.
func (r *Reconcile) Empty() bool {
	return len(r.Conditions)+len(r.Create)+len(r.Assign)+len(r.Stop)+len(r.Explain)+len(r.SetAside)+len(r.Forget)+len(r.Verdicts) == 0
}

// Verdict is how the update of a service to a generation, or its return to one,
// went. OutcomeFailed takes the service back to its last good generation.
type Verdict struct {
	Service    cluster.ServiceID `cbor:"1,keyasint"`
	Generation uint64            `cbor:"2,keyasint"` // that it is about
	Outcome    cluster.Outcome   `cbor:"3,keyasint"`
	Reason     string            `cbor:"4,keyasint,omitempty"`
	// Past: the generation was left before it could be judged, and turns out to
	// be the best that there is to go back to.
	Past bool `cbor:"5,keyasint,omitempty" since:"3"`
}

// NodeCondition is the leader's verdict on a node.
type NodeCondition struct {
	Node      cluster.NodeID    `cbor:"1,keyasint"`
	Condition cluster.Condition `cbor:"2,keyasint"`
	Reason    string            `cbor:"3,keyasint,omitempty"`
}

// Assign places a pending task.
type Assign struct {
	Task       cluster.TaskID `cbor:"1,keyasint"`
	Generation uint64         `cbor:"2,keyasint"`
	Node       cluster.NodeID `cbor:"3,keyasint"`
	Why        string         `cbor:"4,keyasint,omitempty" since:"3"` // the task's
	// Devices are the node's that the task gets.
	Devices []cluster.DeviceShare `cbor:"5,keyasint,omitempty" since:"3"`
}

// StopTask ends a task. It names what the decision rests on: where that holds no
// more, the stop is refused and decided about again.
type StopTask struct {
	Task   cluster.TaskID `cbor:"1,keyasint"`
	Reason string         `cbor:"2,keyasint,omitempty"`
	// Seen is when the task's service last changed, as the decision knew it. One
	// that has changed since may want the task, or another first. Zero: any time.
	Seen time.Time `cbor:"3,keyasint,omitzero" since:"2"`
	// Idle: the task was not ready, so that nothing was lost with it.
	Idle bool `cbor:"4,keyasint,omitempty" since:"3"`
	// For is the task that is ready to take over.
	For cluster.TaskID `cbor:"5,keyasint,omitempty" since:"3"`
	// Drained: the task's node was drained.
	Drained bool `cbor:"6,keyasint,omitempty" since:"3"`
	// Leaving: the task was asked to leave its node.
	Leaving bool `cbor:"8,keyasint,omitempty" since:"3"`
	// By is the task of a higher priority that waits for the place.
	By cluster.TaskID `cbor:"7,keyasint,omitempty" since:"3"`
}

// Explain tells people why a task is pending.
type Explain struct {
	Task   cluster.TaskID `cbor:"1,keyasint"`
	Reason string         `cbor:"2,keyasint"`
}

// SetAside stops deciding for a service whose spec makes the decider fail.
type SetAside struct {
	Service cluster.ServiceID `cbor:"1,keyasint"`
	Reason  string            `cbor:"2,keyasint"`
}

// Observe is a batch of what a node's agent saw.
type Observe struct {
	Node  cluster.NodeID `cbor:"1,keyasint"`
	Tasks []TaskObserved `cbor:"2,keyasint"`
	// Repeats has the events of restarted containers take the place of earlier
	// ones, so that one that crashes in a loop does not fill the history.
	Repeats bool `cbor:"3,keyasint,omitempty" since:"2"`
	// Marks has the tasks remember when they were ready first, and whether they
	// failed soon after.
	Marks bool `cbor:"4,keyasint,omitempty" since:"3"`
}

// TaskObserved is one task of a batch.
type TaskObserved struct {
	Task     cluster.TaskID   `cbor:"1,keyasint"`
	Observed cluster.Observed `cbor:"2,keyasint"`
}

// PutSealed stores a sealed value under a name ("registry/example.org"), or
// removes it when Sealed is nil.
type PutSealed struct {
	Name   string          `cbor:"1,keyasint"`
	Sealed *cluster.Sealed `cbor:"2,keyasint,omitempty"`
}

// NoteImages is which images a node's engine had from registries, and which
// were removed from its host.
type NoteImages struct {
	Node    cluster.NodeID `cbor:"1,keyasint"`
	Images  []PulledImage  `cbor:"2,keyasint,omitempty"`
	Removed []RemovedImage `cbor:"3,keyasint,omitempty"`
}

// PulledImage is what a repository digest turned out to be.
type PulledImage struct {
	Digest string `cbor:"1,keyasint"` // "name@sha256:..."
	ID     string `cbor:"2,keyasint"` // the engine's
}

// RemovedImage is an image that is no longer on a host.
type RemovedImage struct {
	Name   string `cbor:"1,keyasint"` // what people know it by: a repository digest, a tag or its ID
	Reason string `cbor:"2,keyasint"`
}

// RotateGossip begins to replace the gossip key.
type RotateGossip struct {
	Key cluster.Sealed `cbor:"1,keyasint"` // the new one
}

// RotateCA begins to replace the certificate authority.
type RotateCA struct {
	CA  []byte         `cbor:"1,keyasint"` // PEM of the new one
	Key cluster.Sealed `cbor:"2,keyasint"`
}

// StepRotation takes rotations on by one phase. Trust is the number under
// which the leader saw every ready node hold what it must.
type StepRotation struct {
	Trust  uint64 `cbor:"1,keyasint"`
	CA     bool   `cbor:"2,keyasint,omitempty"`
	Gossip bool   `cbor:"3,keyasint,omitempty"`
}

// Kind implementations.
func (Init) Kind() Kind            { return KindInit }
func (PutToken) Kind() Kind        { return KindPutToken }
func (RemoveToken) Kind() Kind     { return KindRemoveToken }
func (JoinNode) Kind() Kind        { return KindJoinNode }
func (UpdateNode) Kind() Kind      { return KindUpdateNode }
func (SetAvailability) Kind() Kind { return KindSetAvailability }
func (LabelNode) Kind() Kind       { return KindLabelNode }
func (SetVoter) Kind() Kind        { return KindSetVoter }
func (RemoveNode) Kind() Kind      { return KindRemoveNode }
func (PutStack) Kind() Kind        { return KindPutStack }
func (Scale) Kind() Kind           { return KindScale }
func (RemoveStack) Kind() Kind     { return KindRemoveStack }
func (Restart) Kind() Kind         { return KindRestart }
func (Reconcile) Kind() Kind       { return KindReconcile }
func (Observe) Kind() Kind         { return KindObserve }
func (PutSealed) Kind() Kind       { return KindPutSealed }
func (NoteImages) Kind() Kind      { return KindNoteImages }
func (RotateGossip) Kind() Kind    { return KindRotateGossip }
func (RotateCA) Kind() Kind        { return KindRotateCA }
func (StepRotation) Kind() Kind    { return KindStepRotation }
func (Rollback) Kind() Kind        { return KindRollback }
func (Promote) Kind() Kind         { return KindPromote }
func (Configure) Kind() Kind       { return KindConfigure }
func (Move) Kind() Kind            { return KindMove }
func (Redirect) Kind() Kind        { return KindRedirect }

func newBody(k Kind) (Body, error) {
	switch k {
	case KindInit:
		return &Init{}, nil
	case KindPutToken:
		return &PutToken{}, nil
	case KindRemoveToken:
		return &RemoveToken{}, nil
	case KindJoinNode:
		return &JoinNode{}, nil
	case KindUpdateNode:
		return &UpdateNode{}, nil
	case KindSetAvailability:
		return &SetAvailability{}, nil
	case KindLabelNode:
		return &LabelNode{}, nil
	case KindSetVoter:
		return &SetVoter{}, nil
	case KindRemoveNode:
		return &RemoveNode{}, nil
	case KindPutStack:
		return &PutStack{}, nil
	case KindScale:
		return &Scale{}, nil
	case KindRemoveStack:
		return &RemoveStack{}, nil
	case KindRestart:
		return &Restart{}, nil
	case KindReconcile:
		return &Reconcile{}, nil
	case KindObserve:
		return &Observe{}, nil
	case KindPutSealed:
		return &PutSealed{}, nil
	case KindNoteImages:
		return &NoteImages{}, nil
	case KindRotateGossip:
		return &RotateGossip{}, nil
	case KindRotateCA:
		return &RotateCA{}, nil
	case KindStepRotation:
		return &StepRotation{}, nil
	case KindRollback:
		return &Rollback{}, nil
	case KindPromote:
		return &Promote{}, nil
	case KindConfigure:
		return &Configure{}, nil
	case KindMove:
		return &Move{}, nil
	case KindRedirect:
		return &Redirect{}, nil
	}
	return nil, fmt.Errorf("command kind %d is not known to this version of muster", k)
}
