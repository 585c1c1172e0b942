package controller

import (
	"cmp"
	"slices"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
	"github.com/musterhq/muster/placement"
	"github.com/musterhq/muster/placement/queue"
)

// inOrder puts the requests in the order in which they are placed, which is that
// of the cluster's settings.
func inOrder(v state.View, reqs []placement.Request) []placement.Request {
	settings := v.Settings()
	if (settings.Queue == "" || settings.Queue == cluster.QueuePriority) && slices.IsSortedFunc(reqs, byPriority) {
		return reqs
	}
	items, at := make([]queue.Item, len(reqs)), make(map[cluster.TaskID]int, len(reqs))
	learned := map[cluster.ServiceID]time.Duration{}
	for i := range reqs {
		r := &reqs[i]
		at[r.Task] = i
		items[i] = queue.Item{Task: r.Task, Priority: r.Placement.Rank(), Since: r.Since, Stack: r.Service.Stack(), Resources: r.Resources}
		if settings.Queue == cluster.QueueShortestJob {
			if _, ok := learned[r.Service]; !ok {
				learned[r.Service] = expected(v, r)
			}
			items[i].Expected = learned[r.Service]
		}
	}
	var shares queue.Shares
	if settings.Queue == cluster.QueueFair {
		shares = sharesOf(v, settings)
	}
	queue.Sort(items, settings.Queue, shares)
	out := make([]placement.Request, len(reqs))
	for i := range items {
		out[i] = reqs[at[items[i].Task]]
	}
	return out
}

// byPriority is the order of cluster.QueuePriority, in which most lists are that
// only hold tasks of one priority.
func byPriority(a, b placement.Request) int {
	return cmp.Or(cmp.Compare(b.Placement.Rank(), a.Placement.Rank()), a.Since.Compare(b.Since), cmp.Compare(a.Task, b.Task))
}

// expected is how long a task of the request's service is likely to run: what it
// says, else the mean of its runs that ended well and are remembered.
func expected(v state.View, r *placement.Request) time.Duration {
	if r.Placement.Expected > 0 {
		return r.Placement.Expected
	}
	var sum time.Duration
	runs := 0
	for t := range v.TasksOf(r.Service) {
		if ran := t.Observed.Finished.Sub(t.Observed.Started); t.Completed() && !t.Observed.Started.IsZero() && ran > 0 {
			sum += min(ran, queue.Endless)
			runs++
		}
	}
	if runs == 0 {
		return queue.Endless
	}
	return sum / time.Duration(runs)
}

// sharesOf is what the stacks hold, and of what.
func sharesOf(v state.View, settings cluster.Settings) queue.Shares {
	out := queue.Shares{Held: map[string]cluster.Resources{}, Weights: settings.Weights}
	for n := range v.Nodes() {
		if n.Condition != cluster.Down {
			out.Capacity = out.Capacity.Add(n.Capacity)
		}
	}
	for t := range v.Tasks() {
		if t.Holds() && v.Condition(t.Node) != cluster.Down {
			stack := t.Service.Stack()
			out.Held[stack] = out.Held[stack].Add(t.Resources)
		}
	}
	return out
}
