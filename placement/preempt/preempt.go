package preempt

import (
	"cmp"
	"slices"

	"github.com/musterhq/muster/cluster"
)

// Gap is how much higher the priority of a task must be than that of one that
// gives way to it.
const Gap = cluster.PriorityGap

// Need is what is asked of a node.
type Need struct {
	Priority  int
	Resources cluster.Resources
	Ports     []cluster.Port
	// Free is what the node has left; parts of it may be negative.
	Free cluster.Resources
	// Devices are asked of those that the node has, of which so many thousandths
	// are in use.
	Devices []cluster.DeviceRequest
	Have    []cluster.HostDevice
	Used    []int64
}

// Victim is a task of the node that could give way.
type Victim struct {
	Task      cluster.TaskID
	Priority  int
	Resources cluster.Resources
	Ports     []cluster.Port
	Devices   []cluster.DeviceShare
}

// Cost is what a set of victims costs: how many they are, then the highest of
// their priorities, then the sum of them.
type Cost struct{ Count, Highest, Sum int }

// Compare orders costs, the cheaper first.
func (c Cost) Compare(o Cost) int {
	return cmp.Or(cmp.Compare(c.Count, o.Count), cmp.Compare(c.Highest, o.Highest), cmp.Compare(c.Sum, o.Sum))
}

// CostOf is what a set costs.
func CostOf(set []Victim) Cost {
	c := Cost{Count: len(set)}
	for i, v := range set {
		if i == 0 || v.Priority > c.Highest {
			c.Highest = v.Priority
		}
		c.Sum += v.Priority
	}
	return c
}

// Choose finds the cheapest set of the node's tasks that makes room for need,
// by task ID; ok is false when all that may give way are not enough. Of equally
// cheap sets it takes the one whose youngest task is the youngest, and so on:
// what has run the longest stays.
func Choose(need Need, tasks []Victim) (set []Victim, ok bool) {
	var chosen, others []Victim // who must go, and who may
	for _, v := range tasks {
		if v.Priority > need.Priority-Gap {
			continue
		}
		if clash(v.Ports, need.Ports) {
			chosen = append(chosen, v)
		} else {
			others = append(others, v)
		}
	}
	for _, v := range tasks { // a port that nobody gives up
		if v.Priority > need.Priority-Gap && clash(v.Ports, need.Ports) {
			return nil, false
		}
	}
	// IDs are in the order of creation: the youngest first.
	slices.SortFunc(others, func(a, b Victim) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(b.Task, a.Task))
	})
	more, ok := cover(&need, roomOf(&need).without(&need, chosen...), others)
	if !ok {
		return nil, false
	}
	set = append(chosen, more...)
	slices.SortFunc(set, func(a, b Victim) int { return cmp.Compare(a.Task, b.Task) })
	return set, true
}

// clash reports whether two sets of host ports cannot be on one node together.
func clash(a, b []cluster.Port) bool {
	for _, p := range a {
		for _, q := range b {
			if p.Published == q.Published && p.Protocol == q.Protocol && (p.HostIP == q.HostIP || p.HostIP == "" || q.HostIP == "") {
				return true
			}
		}
	}
	return false
}
