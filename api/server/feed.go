package server

import (
	"reflect"
	"slices"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

const (
	// feedIdle is how often an unchanged feed sends an empty frame, so that the
	// reader can tell a quiet voter from a dead one.
	feedIdle = 500 * time.Millisecond
	// feedStep is how soon it sends one when the state has moved on without any
	// news for the reader: tasks elsewhere may wait until it has got there.
	feedStep = 100 * time.Millisecond
)

// nodeFeed streams to a node what concerns it: its assignments, the members and
// the balancers' table, each part only when it changed. It ends when this node
// is a voter no longer, or the caller no member.
//
// A worker that is asked used to be a voter: the caller was away when that
// changed, and learns from one frame who they are now.
func nodeFeed(c *call) (any, error) {
	if _, ok := c.State.View(); !ok {
		news := c.Nodes.News()
		if news.Epoch == 0 {
			return nil, api.Errorf(api.CodeUnavailable, "this node is not a voter and holds no state")
		}
		_ = c.lines().send(news) // the caller is gone: nobody to tell
		return streamed, nil
	}
	wake, stop := c.State.Watch()
	defer stop()
	out := c.lines()
	node := cluster.NodeID(c.caller.NodeID)
	frames := c.s.Frames(node)
	due := time.NewTimer(feedIdle)
	defer due.Stop()
	idle, behind := true, false
	for {
		v, ok := c.State.View()
		if !ok {
			return streamed, nil // the reader finds another voter
		}
		if _, member := v.Node(node); !member {
			return streamed, nil // the reader learns why when it calls again
		}
		if frame := frames(v, c.Nodes.LeaderID()); frame.News() || idle {
			if err := out.send(frame); err != nil {
				return streamed, nil
			}
			behind = false
			due.Reset(feedIdle)
		} else if !behind {
			behind = true
			due.Reset(feedStep)
		}
		select {
		case <-c.ctx.Done():
			return streamed, nil
		case <-wake:
			idle = false
		case <-due.C:
			idle = true
		}
	}
}

// Frames builds the feed of one node from successive views.
func (s *Server) Frames(node cluster.NodeID) func(v state.View, leader cluster.NodeID) api.Feed {
	f := feeder{node: node, common: &s.common}
	return f.frame
}

// feeder remembers what it sent to one node.
type feeder struct {
	node   cluster.NodeID
	common *commons

	sent        bool
	members     revision
	table       revision
	tasks       []*cluster.Task // what the rest was made from
	assignments []api.Assignment
	services    []cluster.ServiceID
	networks    []cluster.Network
}

func (f *feeder) frame(v state.View, leader cluster.NodeID) api.Feed {
	out := api.Feed{Epoch: v.Epoch(), Index: v.Index(), Leader: leader}
	c := f.common.at(v)
	if !f.sent || f.members != c.membersRev {
		f.members, out.Members = c.membersRev, c.members
	}
	if f.look(v) || !f.sent {
		a := f.assignments
		out.Assignments, out.Services, out.Networks = &a, f.services, f.networks
	}
	if !f.sent || f.table != c.tableRev {
		t := c.table
		f.table, out.Table = c.tableRev, &t
	}
	f.sent = true
	return out
}

// look takes the node's assignments, services and networks from a view, and
// reports whether they changed. Objects of the state are never changed in place:
// equal pointers are equal tasks.
func (f *feeder) look(v state.View) (changed bool) {
	tasks := slices.Collect(v.TasksOn(f.node))
	if !f.sent || !slices.Equal(tasks, f.tasks) {
		a, s := assignmentsOf(v, tasks), servicesOf(tasks)
		changed = !reflect.DeepEqual(a, f.assignments) || !slices.Equal(s, f.services)
		f.tasks, f.assignments, f.services = tasks, a, s
	}
	n := networksOf(v, f.assignments)
	changed = changed || !slices.Equal(n, f.networks)
	f.networks = n
	return changed
}

// servicesOf are the services of tasks. One that is removed goes together with
// its tasks, when all of them are over.
func servicesOf(tasks []*cluster.Task) []cluster.ServiceID {
	out := []cluster.ServiceID{}
	for _, t := range tasks {
		out = append(out, t.Service)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// assignmentsOf are the tasks, of those on a node, that it has to run or to
// stop. What the node itself observed is left out but for the count of restarts,
// so that its own reports do not come back as news.
func assignmentsOf(v state.View, tasks []*cluster.Task) []api.Assignment {
	out := []api.Assignment{}
	for _, t := range tasks {
		if t.Ended() {
			continue
		}
		s, ok := v.Service(t.Service)
		if !ok {
			continue
		}
		tpl, ok := s.Template(t.Generation)
		if !ok {
			continue
		}
		task := *t
		task.Updated, task.Why = time.Time{}, ""
		task.Observed = cluster.Observed{Restarts: t.Observed.Restarts}
		out = append(out, api.Assignment{Task: task, Template: tpl})
	}
	return out
}
