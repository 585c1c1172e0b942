package server

import (
	"reflect"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
	"github.com/musterhq/muster/lb"
)

// feedIdle is how often an unchanged feed sends an empty frame, so that the
// reader can tell a quiet voter from a dead one.
const feedIdle = 500 * time.Millisecond

// nodeFeed streams to a node what concerns it: its assignments, the members and
// the balancers' table, each part only when it changed.
func nodeFeed(c *call) (any, error) {
	if _, ok := c.State.View(); !ok {
		return nil, api.Errorf(api.CodeUnavailable, "this node is not a voter and holds no state")
	}
	wake, stop := c.State.Watch()
	defer stop()
	out := c.lines()
	f := feeder{node: cluster.NodeID(c.caller.NodeID)}
	tick := time.NewTicker(feedIdle)
	defer tick.Stop()
	idle := true
	for {
		v, ok := c.State.View()
		if !ok {
			return streamed, nil // demoted: the reader finds another voter
		}
		if frame := f.frame(v, c.Nodes.LeaderID()); frame.News() || idle {
			if err := out.send(frame); err != nil {
				return streamed, nil
			}
		}
		select {
		case <-c.ctx.Done():
			return streamed, nil
		case <-wake:
			idle = false
		case <-tick.C:
			idle = true
		}
	}
}

// Frames builds the feed of one node from successive views.
func Frames(node cluster.NodeID) func(v state.View, leader cluster.NodeID) api.Feed {
	f := feeder{node: node}
	return f.frame
}

// feeder remembers what it sent.
type feeder struct {
	node        cluster.NodeID
	sent        bool
	members     []api.Member
	assignments []api.Assignment
	table       lb.Input
}

func (f *feeder) frame(v state.View, leader cluster.NodeID) api.Feed {
	out := api.Feed{Epoch: v.Epoch(), Index: v.Index(), Leader: leader}
	if m := membersOf(v); !f.sent || !reflect.DeepEqual(m, f.members) {
		f.members, out.Members = m, m
	}
	if a := assignmentsOf(v, f.node); !f.sent || !reflect.DeepEqual(a, f.assignments) {
		f.assignments, out.Assignments = a, &a
	}
	t := lb.FromView(v)
	epoch, index := t.Epoch, t.Index
	t.Epoch, t.Index = 0, 0 // they change with every commit
	if !f.sent || !reflect.DeepEqual(t, f.table) {
		f.table = t
		t.Epoch, t.Index = epoch, index
		out.Table = &t
	}
	f.sent = true
	return out
}

// assignmentsOf are the tasks that a node has to run or to stop. What the node
// itself observed is left out but for the count of restarts, so that its own
// reports do not come back as news.
func assignmentsOf(v state.View, node cluster.NodeID) []api.Assignment {
	out := []api.Assignment{}
	for t := range v.TasksOn(node) {
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
		task.Updated = time.Time{}
		task.Observed = cluster.Observed{Restarts: t.Observed.Restarts}
		out = append(out, api.Assignment{Task: task, Template: tpl})
	}
	return out
}
