package state

import (
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/musterhq/muster/cluster"
)

// View is the state at one index: an immutable value, cheap to take and to
// keep. What it returns by pointer must not be changed.
type View struct {
	index uint64
	now   time.Time // the newest command time
	ident *cluster.Identity
	// settings are nil until somebody sets one.
	settings *cluster.Settings
	level    int // 0 and 1 are the same
	given    *givenLast

	nodes    table[cluster.Node]
	networks table[cluster.Network]
	services table[cluster.Service]
	tasks    table[cluster.Task]
	tokens   table[cluster.Token]
	sealed   table[namedSealed]
	images   table[imageRecord]
	requests table[request]
	events   table[Event]

	// Derived from the above, never in snapshots.
	byService table[cluster.Task]
	byNode    table[cluster.Task]
	allocated table[Allocation]
	repeated  table[Event] // that count, by object and action
	held      table[run]   // addresses of tasks and services
}

// Allocation is what the tasks on a node hold.
type Allocation struct {
	Resources cluster.Resources
	Tasks     int
}

type namedSealed struct {
	Name   string         `cbor:"1,keyasint"`
	Sealed cluster.Sealed `cbor:"2,keyasint"`
}

type request struct {
	ID     string    `cbor:"1,keyasint"`
	At     time.Time `cbor:"2,keyasint"`
	Result Result    `cbor:"3,keyasint"`
}

// Index is the log index that the view has applied.
func (v View) Index() uint64 { return v.index }

// Now is the newest command time that the view has applied.
func (v View) Now() time.Time { return v.now }

// Epoch is the number of the cluster's history, 0 before Init.
func (v View) Epoch() uint64 {
	if v.ident == nil {
		return 0
	}
	return v.ident.Epoch
}

// Cluster returns the cluster's identity; ok is false before Init.
func (v View) Cluster() (id cluster.Identity, ok bool) {
	if v.ident == nil {
		return cluster.Identity{}, false
	}
	return *v.ident, true
}

// Hash is a running sum over all objects: equal views have equal hashes.
func (v View) Hash() uint64 {
	sum := v.nodes.sum + v.networks.sum + v.services.sum + v.tasks.sum + v.tokens.sum + v.sealed.sum + v.images.sum
	if v.ident != nil {
		sum += objectHash('i', "", v.ident)
	}
	if v.settings != nil {
		sum += objectHash('c', "", v.settings)
	}
	if v.given != nil {
		sum += objectHash('a', "", v.given)
	}
	return sum
}

// Node returns a node by ID.
func (v View) Node(id cluster.NodeID) (*cluster.Node, bool) { return v.nodes.get(string(id)) }

// Nodes yields all nodes by ID.
func (v View) Nodes() iter.Seq[*cluster.Node] { return v.nodes.all("") }

// NodeCount is the number of nodes.
func (v View) NodeCount() int { return v.nodes.len() }

// Service returns a service by ID.
func (v View) Service(id cluster.ServiceID) (*cluster.Service, bool) {
	return v.services.get(string(id))
}

// Services yields all services by ID.
func (v View) Services() iter.Seq[*cluster.Service] { return v.services.all("") }

// StackServices yields the services of one stack by ID.
func (v View) StackServices(stack string) iter.Seq[*cluster.Service] {
	return v.services.all(stack + "/")
}

// Task returns a task by ID.
func (v View) Task(id cluster.TaskID) (*cluster.Task, bool) { return v.tasks.get(string(id)) }

// Tasks yields all tasks by ID, which is by age.
func (v View) Tasks() iter.Seq[*cluster.Task] { return v.tasks.all("") }

// NewestTasks yields all tasks by ID, the newest first.
func (v View) NewestTasks() iter.Seq[*cluster.Task] { return v.tasks.backward() }

// Unplaced yields the tasks without a node by ID, those that are wanted no more
// included.
func (v View) Unplaced() iter.Seq[*cluster.Task] { return v.byNode.all("\x00") }

// TaskCount is the number of tasks, ended ones included.
func (v View) TaskCount() int { return v.tasks.len() }

// TasksOf yields a service's tasks by slot, then by age.
func (v View) TasksOf(id cluster.ServiceID) iter.Seq[*cluster.Task] {
	return v.byService.all(string(id) + "\x00")
}

// TasksOn yields the tasks placed on a node by ID.
func (v View) TasksOn(id cluster.NodeID) iter.Seq[*cluster.Task] {
	return v.byNode.all(string(id) + "\x00")
}

// Allocated is what the tasks on a node hold.
func (v View) Allocated(id cluster.NodeID) Allocation {
	if a, ok := v.allocated.get(string(id)); ok {
		return *a
	}
	return Allocation{}
}

// Token returns a join token by ID.
func (v View) Token(id string) (*cluster.Token, bool) { return v.tokens.get(id) }

// Tokens yields all join tokens by ID.
func (v View) Tokens() iter.Seq[*cluster.Token] { return v.tokens.all("") }

// Sealed returns a sealed value by name.
func (v View) Sealed(name string) (cluster.Sealed, bool) {
	s, ok := v.sealed.get(name)
	if !ok {
		return cluster.Sealed{}, false
	}
	return s.Sealed, true
}

// Condition is the condition of a node, "" when it is not known.
func (v View) Condition(id cluster.NodeID) cluster.Condition {
	if n, ok := v.Node(id); ok {
		return n.Condition
	}
	return ""
}

// Events yields the kept events after the given index, oldest first.
func (v View) Events(after uint64) iter.Seq[*Event] { return v.events.from(eventKey(after+1, 0)) }

// LastEvents returns the newest n events that keep lets through, oldest first;
// a nil keep lets all through.
func (v View) LastEvents(n int, keep func(*Event) bool) []*Event {
	var out []*Event
	it := v.events.tree.Root().ReverseIterator()
	for _, e, ok := it.Previous(); ok && len(out) < n; _, e, ok = it.Previous() {
		if keep == nil || keep(e.val) {
			out = append(out, e.val)
		}
	}
	slices.Reverse(out)
	return out
}

// Holds reports whether a command without a time of its own would change
// nothing.
func (v View) Holds(b Body) bool {
	scratch := v.Fork()
	res := scratch.Apply(v.index+1, Command{At: v.now, Body: b})
	return res.Err == nil && scratch.view.Hash() == v.Hash()
}

// Fork starts a scratch state from the view, for decisions that build on
// others which are still in flight.
func (v View) Fork() *State { return &State{view: v} }

func eventKey(index uint64, seq int) string { return fmt.Sprintf("%016x%06x", index, seq) }

func repeatKey(e *Event) string { return e.Object + "\x00" + e.Action }

func serviceKey(t *cluster.Task) string {
	return fmt.Sprintf("%s\x00%08x%s", t.Service, t.Slot, t.ID)
}

func slotPrefix(service cluster.ServiceID, slot int) string {
	return fmt.Sprintf("%s\x00%08x", service, slot)
}

func nodeKey(t *cluster.Task) string { return string(t.Node) + "\x00" + string(t.ID) }
