package sim

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/musterhq/muster/agent/worker"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
	"github.com/musterhq/muster/consensus/voters"
	"github.com/musterhq/muster/lb"
)

// feed follows a voter's state, as agent.followFeed and server.nodeFeed do: the
// first frame of a connection holds everything, later ones what changed; who is
// behind what is known is left.
type feed struct {
	a       *agent
	from    *host // nil: none
	session int   // counts the connections
	at      position
	first   bool
	seen    uint64 // index of the last frame of this connection
	pending bool   // a frame is on its way
	lagging time.Duration
	silent  time.Duration
	sent    worker.Set
	since   time.Duration // when a frame last was as new as what is committed
}

// Paces, as agent/feed.go has them.
const (
	feedRetry   = 100 * time.Millisecond
	feedSilence = 2 * time.Second
	feedLag     = time.Second
	feedCheck   = 250 * time.Millisecond
)

// choose connects to a voter: this node itself if it is one, else any.
func (f *feed) choose(avoid *host) {
	w, h := f.a.w, f.a.h
	f.session++
	f.from, f.pending, f.lagging, f.silent = nil, false, -1, -1
	var to *host
	if h.replica != nil && avoid != h {
		to = h
	} else {
		var usable []*host
		for _, v := range w.raft.voters {
			if v != h && (v != avoid || len(w.raft.voters) <= 2) && w.reaches(h, v) {
				usable = append(usable, v)
			}
		}
		if len(usable) > 0 {
			to = pick(w, usable)
		}
	}
	if to == nil {
		f.later(feedRetry, func() { f.choose(nil) })
		return
	}
	f.from, f.first, f.seen, f.sent = to, true, 0, worker.Set{}
	f.news()
	f.later(feedCheck, f.check)
}

// later schedules something that only this connection does.
func (f *feed) later(d time.Duration, do func()) {
	session := f.session
	f.a.after(d, func() {
		if f.session == session {
			do()
		}
	})
}

// news says that the voter's state moved on.
func (f *feed) news() {
	if f.pending {
		return
	}
	f.pending = true
	wait := f.a.w.between(0, time.Millisecond)
	if f.from != f.a.h {
		wait += f.a.w.delay()
	}
	f.later(wait, func() {
		f.pending = false
		if f.from.replica != nil && (f.from == f.a.h || f.a.w.reaches(f.a.h, f.from)) {
			f.frame(f.a.w.raft.view(f.from))
		}
	})
}

// check leaves a voter that is silent or stays behind the leader's word.
func (f *feed) check() {
	w := f.a.w
	overdue := func(since *time.Duration, bad bool, limit time.Duration) bool {
		if !bad {
			*since = -1
		} else if *since < 0 {
			*since = w.now
		}
		return bad && w.now-*since > limit
	}
	gone := f.from != f.a.h && !w.reaches(f.a.h, f.from)
	lags := f.at.before(f.a.told) || !w.raft.reachesVoter(f.from)
	if f.from == f.a.h {
		lags = !f.ownStateServes()
	}
	if overdue(&f.silent, gone, feedSilence) || overdue(&f.lagging, lags && !gone, feedLag) {
		f.leave()
		return
	}
	if f.from.replica == nil || f.from != f.a.h && f.ownStateServes() {
		f.leave() // it is a voter no more, or this node's own state serves again
		return
	}
	f.later(feedCheck, f.check)
}

// ownStateServes reports whether this voter's state is as new as this node needs
// and raft brings it what is new; see agent.ownStateServes.
func (f *feed) ownStateServes() bool {
	r, h := f.a.w.raft, f.a.h
	return h.replica != nil && !positionOf(r.view(h)).before(f.a.told) && r.reachesVoter(h)
}

// reachesVoter reports whether raft brings news to the host.
func (r *raft) reachesVoter(h *host) bool {
	return r.leader != nil && r.role(h) != voters.Outside && r.w.reaches(r.leader, h)
}

func (f *feed) leave() {
	avoid := f.from
	f.later(feedRetry, func() { f.choose(avoid) })
}

// frame takes in the state of the voter; older ones than what is known are of
// no use.
func (f *feed) frame(v state.View) {
	here := positionOf(v)
	if here.before(f.at) {
		if f.first && f.from != f.a.h {
			f.leave()
		}
		return
	}
	if _, member := v.Node(f.a.h.id); !member && f.from != f.a.h {
		f.leave() // the server ends the stream
		return
	}
	f.at = here
	if f.lostVote(v) {
		f.a.demote()
		return
	}
	if f.a.w.toLeader(f.a.h) != nil {
		f.a.newLeader(f.a.w.raft.leader)
	}
	if !f.first && f.seen >= here.index {
		return
	}
	f.a.table = v
	if f.first || f.a.w.raft.touched[f.a.h.id] > f.seen {
		tasks, services := tasksOf(v, f.a.h.id), servicesOn(v, f.a.h.id)
		networks := networksOf(v, tasks)
		if f.first || !sameTasks(f.sent.Assignments, tasks) || !slices.Equal(f.sent.Services, services) || !slices.Equal(f.sent.Networks, networks) {
			f.sent = worker.Set{Epoch: here.epoch, Index: here.index, Assignments: assignmentsOf(v, tasks), Services: services, Networks: networks}
			f.a.work.assign(f.sent)
		}
	}
	f.first, f.seen = false, here.index
}

// advanced is called on a voter whose state moved on.
func (a *agent) advanced() {
	for _, h := range a.w.hosts {
		if b := h.agent; b != nil && b.feed.from == a.h {
			b.feed.news()
		}
	}
	if a.term != nil {
		a.term.poke()
	}
}

// keptTables is how many tables are remembered: nodes lag by few states, and those
// of a long run of a large cluster would fill the memory.
const keptTables = 64

// table is the balancers' table of a state, built once for all nodes.
func (w *World) table(v state.View) *lb.Table {
	if t := w.tables[v.Index()]; t != nil {
		return t
	}
	if len(w.tables) >= keptTables {
		clear(w.tables)
	}
	t := lb.Build(lb.FromView(v))
	w.tables[v.Index()] = t
	return t
}

// tasksOf are the tasks that a node has to run or to stop.
func tasksOf(v state.View, node cluster.NodeID) []*cluster.Task {
	var out []*cluster.Task
	for t := range v.TasksOn(node) {
		if s, ok := v.Service(t.Service); !t.Ended() && ok && hasTemplate(s, t.Generation) {
			out = append(out, t)
		}
	}
	return out
}

func hasTemplate(s *cluster.Service, generation uint64) bool {
	return generation == s.Generation ||
		slices.ContainsFunc(s.History, func(g cluster.Generation) bool { return g.Number == generation })
}

// assignmentsOf are the node's tasks as server.Frames gives them.
func assignmentsOf(v state.View, tasks []*cluster.Task) []worker.Assignment {
	out := make([]worker.Assignment, 0, len(tasks))
	for _, t := range tasks {
		s, _ := v.Service(t.Service)
		tpl, _ := s.Template(t.Generation)
		task := *t
		task.Updated, task.Why = time.Time{}, ""
		task.Observed = cluster.Observed{Restarts: t.Observed.Restarts}
		out = append(out, worker.Assignment{Task: task, Template: tpl, Stack: t.Service.Stack()})
	}
	return out
}

// networksOf are the networks that tasks are in, as server.Frames gives them.
func networksOf(v state.View, tasks []*cluster.Task) (out []cluster.Network) {
	ids := map[cluster.NetworkID]bool{}
	for _, t := range tasks {
		s, _ := v.Service(t.Service)
		tpl, _ := s.Template(t.Generation)
		for _, l := range tpl.Networks {
			ids[l.Network] = true
		}
	}
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		if n, ok := v.Network(id); ok {
			bare := *n
			bare.Last = netip.Addr{}
			out = append(out, bare)
		}
	}
	return out
}

// servicesOn are the services that had or have tasks on a node, as
// server.Frames gives them.
func servicesOn(v state.View, node cluster.NodeID) []cluster.ServiceID {
	out := []cluster.ServiceID{}
	for t := range v.TasksOn(node) {
		out = append(out, t.Service)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// sameTasks compares what can differ between two sets of one node: a task's
// place, resources and template never change.
func sameTasks(sent []worker.Assignment, now []*cluster.Task) bool {
	if len(sent) != len(now) {
		return false
	}
	for i, y := range now {
		x := &sent[i].Task
		if x.ID != y.ID || x.Desired != y.Desired || x.Reason != y.Reason || x.Observed.Restarts != y.Observed.Restarts {
			return false
		}
	}
	return true
}
