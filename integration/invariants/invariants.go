package invariants

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// Rule names an invariant.
type Rule string

// Rules.
const (
	Overcommit     Rule = "overcommit"      // the tasks of a node hold more than it has
	PortTwice      Rule = "port-twice"      // two holders of one host port
	AddressTwice   Rule = "address-twice"   // two holders of one address, or of one node's number
	WrongAddress   Rule = "wrong-address"   // a task has not the addresses of its networks
	SeatTwice      Rule = "seat-twice"      // more than a holder and its successor in a slot
	WrongSums      Rule = "wrong-sums"      // allocated sums or indexes differ from the tasks
	MovedBack      Rule = "moved-back"      // a state that was final is not any more
	WrongPlace     Rule = "wrong-place"     // a task was given a node that its service forbids
	Twice          Rule = "twice"           // a request took effect a second time
	StoppedSoon    Rule = "stopped-soon"    // a healthy container stopped without its successor
	LostWork       Rule = "lost-work"       // an acknowledged change is gone
	StaleTable     Rule = "stale-table"     // a balancer leads to a task known dead
	NotRefilled    Rule = "not-refilled"    // a lost task has no successor although one could be made
	FalseDown      Rule = "false-down"      // a living host was judged dead
	LateDown       Rule = "late-down"       // a dead host was not judged dead in time
	NoLeader       Rule = "no-leader"       // voters that could elect one have none that commits
	TooBusy        Rule = "too-busy"        // a node sends more copies of images than it may
	UnknownCommand Rule = "unknown-command" // the log holds what a voter cannot apply
	HashDiffers    Rule = "hash-differs"    // two replicas differ at one index
	NotSettled     Rule = "not-settled"     // desired and actual differ in quiet times
	FalseReason    Rule = "false-reason"    // a task is pending although it fits
	NotIdle        Rule = "not-idle"        // deciding again decides something
)

// Violation is a broken rule.
type Violation struct {
	Rule   Rule
	Detail string
}

func (v Violation) String() string { return string(v.Rule) + ": " + v.Detail }

func violation(r Rule, format string, args ...any) Violation {
	return Violation{r, fmt.Sprintf(format, args...)}
}

// State is what a cluster says of itself at one index. state.View is one.
type State interface {
	Node(cluster.NodeID) (*cluster.Node, bool)
	Nodes() iter.Seq[*cluster.Node]
	Service(cluster.ServiceID) (*cluster.Service, bool)
	Services() iter.Seq[*cluster.Service]
	Task(cluster.TaskID) (*cluster.Task, bool)
	Tasks() iter.Seq[*cluster.Task]
	TasksOf(cluster.ServiceID) iter.Seq[*cluster.Task]
	TasksOn(cluster.NodeID) iter.Seq[*cluster.Task]
	Allocated(cluster.NodeID) state.Allocation
}

// Host is what really runs on one host.
type Host struct {
	Node cluster.NodeID
	// Connected: the host is up and reaches the leader, so that the cluster
	// can know and change what runs there.
	Connected  bool
	Containers []Container
	Ended      []cluster.ServiceID // services of the containers that lie there ended
}

// Container is one of the cluster's containers that runs.
type Container struct {
	ID    string
	Task  cluster.TaskID
	Ports []cluster.Port // host ports that it holds
}

// Facts is a State made of lists, for observers that hold no replicated state.
// Its sums are computed from the tasks.
type Facts struct {
	nodes    map[cluster.NodeID]*cluster.Node
	services map[cluster.ServiceID]*cluster.Service
	tasks    map[cluster.TaskID]*cluster.Task
}

// NewFacts makes a State; it keeps the pointers.
func NewFacts(nodes []*cluster.Node, services []*cluster.Service, tasks []*cluster.Task) *Facts {
	f := &Facts{map[cluster.NodeID]*cluster.Node{}, map[cluster.ServiceID]*cluster.Service{}, map[cluster.TaskID]*cluster.Task{}}
	for _, n := range nodes {
		f.nodes[n.ID] = n
	}
	for _, s := range services {
		f.services[s.ID] = s
	}
	for _, t := range tasks {
		f.tasks[t.ID] = t
	}
	return f
}

// Node implements State.
func (f *Facts) Node(id cluster.NodeID) (*cluster.Node, bool) { n, ok := f.nodes[id]; return n, ok }

// Nodes implements State.
func (f *Facts) Nodes() iter.Seq[*cluster.Node] { return sorted(f.nodes) }

// Service implements State.
func (f *Facts) Service(id cluster.ServiceID) (*cluster.Service, bool) {
	s, ok := f.services[id]
	return s, ok
}

// Services implements State.
func (f *Facts) Services() iter.Seq[*cluster.Service] { return sorted(f.services) }

// Task implements State.
func (f *Facts) Task(id cluster.TaskID) (*cluster.Task, bool) { t, ok := f.tasks[id]; return t, ok }

// Tasks implements State.
func (f *Facts) Tasks() iter.Seq[*cluster.Task] { return sorted(f.tasks) }

// TasksOf implements State.
func (f *Facts) TasksOf(id cluster.ServiceID) iter.Seq[*cluster.Task] {
	tasks := slices.SortedStableFunc(filter(f.Tasks(), func(t *cluster.Task) bool { return t.Service == id }),
		func(a, b *cluster.Task) int { return cmp.Compare(a.Slot, b.Slot) })
	return slices.Values(tasks)
}

// TasksOn implements State.
func (f *Facts) TasksOn(id cluster.NodeID) iter.Seq[*cluster.Task] {
	return filter(f.Tasks(), func(t *cluster.Task) bool { return t.Node == id })
}

// Allocated implements State.
func (f *Facts) Allocated(id cluster.NodeID) state.Allocation { return allocation(f.TasksOn(id)) }

func sorted[K cmp.Ordered, V any](m map[K]V) iter.Seq[V] {
	return func(yield func(V) bool) {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if !yield(m[k]) {
				return
			}
		}
	}
}

func filter[V any](seq iter.Seq[V], keep func(V) bool) iter.Seq[V] {
	return func(yield func(V) bool) {
		for v := range seq {
			if keep(v) && !yield(v) {
				return
			}
		}
	}
}
