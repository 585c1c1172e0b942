package state

import (
	"time"

	"github.com/musterhq/muster/cluster"
)

// tx is one command being applied to a view.
type tx struct {
	base  View
	index uint64
	now   time.Time
	ident *cluster.Identity

	settings *cluster.Settings
	given    *givenLast

	nodes     *tableTx[cluster.Node]
	networks  *tableTx[cluster.Network]
	services  *tableTx[cluster.Service]
	tasks     *tableTx[cluster.Task]
	tokens    *tableTx[cluster.Token]
	sealed    *tableTx[namedSealed]
	images    *tableTx[imageRecord]
	requests  *tableTx[request]
	events    *tableTx[Event]
	byService *tableTx[cluster.Task]
	byNode    *tableTx[cluster.Task]
	repeated  *tableTx[Event]
	allocated *tableTx[Allocation]
	held      *tableTx[run]

	seq     int
	changes []Change
	refused []Refusal
	staying []*cluster.Task // whose stop was refused
	outcome []ServiceChange

	servicesChanged bool
	networksChanged bool
}

func begin(v View, index uint64, at time.Time) *tx {
	if at.Before(v.now) {
		at = v.now // command time never runs backwards
	}
	return &tx{
		base: v, index: index, now: at, ident: v.ident, settings: v.settings, given: v.given,
		nodes: v.nodes.begin('n', true), networks: v.networks.begin('w', true), services: v.services.begin('s', true), tasks: v.tasks.begin('t', true),
		tokens: v.tokens.begin('k', true), sealed: v.sealed.begin('x', true), images: v.images.begin('m', true), requests: v.requests.begin('r', false),
		events: v.events.begin('e', false), byService: v.byService.begin(0, false), byNode: v.byNode.begin(0, false),
		allocated: v.allocated.begin(0, false), repeated: v.repeated.begin(0, false),
		held: v.held.begin(0, false),
	}
}

func (tx *tx) commit() View {
	return View{
		index: tx.index, now: tx.now, ident: tx.ident, settings: tx.settings, given: tx.given,
		nodes: tx.nodes.commit(), networks: tx.networks.commit(), services: tx.services.commit(), tasks: tx.tasks.commit(),
		tokens: tx.tokens.commit(), sealed: tx.sealed.commit(), images: tx.images.commit(), requests: tx.requests.commit(),
		events: tx.events.commit(), byService: tx.byService.commit(), byNode: tx.byNode.commit(),
		allocated: tx.allocated.commit(), repeated: tx.repeated.commit(), held: tx.held.commit(),
	}
}

func (tx *tx) changed(topic Topic, key string, node cluster.NodeID) {
	tx.changes = append(tx.changes, Change{Topic: topic, Key: key, Node: node})
}

// event appends to the history and drops its oldest line past the limit.
func (tx *tx) event(e Event) {
	e.Index, e.Seq, e.At = tx.index, tx.seq, tx.now
	tx.seq++
	tx.storeEvent(&e)
	if tx.events.len > KeepEvents {
		if _, oldest, ok := tx.events.txn.Root().Minimum(); ok {
			tx.deleteEvent(oldest.val)
		}
	}
}

// repeat appends an event in place of the last one of the same object and action
// that came by repeat, and counts.
func (tx *tx) repeat(e Event) {
	e.Count, e.First = 1, tx.now
	if last, ok := tx.repeated.get(repeatKey(&e)); ok {
		e.Count, e.First = last.Count+1, last.First
		tx.deleteEvent(last)
	}
	tx.event(e)
}

func (tx *tx) storeEvent(e *Event) {
	tx.events.put(eventKey(e.Index, e.Seq), e)
	if e.Count > 0 {
		tx.repeated.put(repeatKey(e), e)
	}
}

func (tx *tx) deleteEvent(e *Event) {
	tx.events.del(eventKey(e.Index, e.Seq))
	if e.Count > 0 {
		tx.repeated.del(repeatKey(e))
	}
}

func (tx *tx) putNode(n *cluster.Node) {
	tx.nodes.put(string(n.ID), n)
	tx.changed(TopicNode, string(n.ID), n.ID)
}

// putService stores a service. Updated tells each of its changes from those
// before, also where the clock stands still.
func (tx *tx) putService(s *cluster.Service) {
	s.Updated = tx.now
	if old, ok := tx.services.get(string(s.ID)); ok && !s.Updated.After(old.Updated) {
		s.Updated = old.Updated.Add(time.Nanosecond)
	}
	tx.storeService(s)
	tx.servicesChanged = true
	tx.changed(TopicService, string(s.ID), "")
}

func (tx *tx) storeService(s *cluster.Service) {
	old, _ := tx.services.get(string(s.ID))
	tx.services.put(string(s.ID), s)
	tx.holdService(old, s)
}

// putTask stores a task. One that has ended, so that no container of it runs or
// will, leaves its addresses to others.
func (tx *tx) putTask(t *cluster.Task) {
	if t.Ended() {
		t.Addresses = nil
	}
	t.Updated = tx.now
	tx.storeTask(t)
	tx.changed(TopicTask, string(t.ID), t.Node)
}

// storeTask stores a task and keeps the indexes and the node's allocated sum.
func (tx *tx) storeTask(t *cluster.Task) {
	old, had := tx.tasks.get(string(t.ID))
	if had {
		tx.unindex(old, t.Node != old.Node)
	}
	tx.tasks.put(string(t.ID), t)
	tx.byService.put(serviceKey(t), t)
	tx.byNode.put(nodeKey(t), t)
	tx.allocate(t, +1)
	tx.holdTask(old, t)
}

func (tx *tx) deleteTask(t *cluster.Task) {
	tx.unindex(t, true)
	tx.holdTask(t, nil)
	tx.byService.del(serviceKey(t))
	tx.tasks.del(string(t.ID))
	tx.changed(TopicTask, string(t.ID), t.Node)
}

func (tx *tx) unindex(t *cluster.Task, moved bool) {
	tx.allocate(t, -1)
	if moved {
		tx.byNode.del(nodeKey(t))
	}
}

func (tx *tx) allocate(t *cluster.Task, sign int64) {
	if !t.Holds() {
		return
	}
	var a Allocation
	if old, ok := tx.allocated.get(string(t.Node)); ok {
		a = *old
	}
	a.Resources.MilliCPU += sign * t.Resources.MilliCPU
	a.Resources.Memory += sign * t.Resources.Memory
	a.Resources.Disk += sign * t.Resources.Disk
	a.Resources.Bandwidth += sign * t.Resources.Bandwidth
	a.Resources.MilliGPU += sign * t.Resources.MilliGPU
	a.Tasks += int(sign)
	if a == (Allocation{}) {
		tx.allocated.del(string(t.Node))
		return
	}
	tx.allocated.put(string(t.Node), &a)
}

// tasksOf are the tasks of a service, or of one slot of it, by slot and age.
func (tx *tx) tasksOf(id cluster.ServiceID) []*cluster.Task {
	return tx.byService.all(string(id) + "\x00")
}

func (tx *tx) slot(id cluster.ServiceID, slot int) []*cluster.Task {
	return tx.byService.all(slotPrefix(id, slot))
}

func (tx *tx) tasksOn(id cluster.NodeID) []*cluster.Task {
	return tx.byNode.all(string(id) + "\x00")
}

// condition is "" for a node that is gone.
func (tx *tx) condition(id cluster.NodeID) cluster.Condition {
	if n, ok := tx.nodes.get(string(id)); ok {
		return n.Condition
	}
	return ""
}

// over reports whether nothing of a task can be running where we can see it:
// it ended, or it was stopped and its node is down or gone.
func (tx *tx) over(t *cluster.Task) bool {
	if t.Ended() {
		return true
	}
	c := tx.condition(t.Node)
	return t.Desired == cluster.Stopped && (c == "" || c == cluster.Down)
}

// retain drops the oldest ended tasks of a slot past the limit.
func (tx *tx) retain(service cluster.ServiceID, slot int) {
	var over []*cluster.Task
	for _, t := range tx.slot(service, slot) {
		if tx.over(t) && t.Desired == cluster.Stopped {
			over = append(over, t)
		}
	}
	for len(over) > KeepEndedTasks {
		tx.deleteTask(over[0])
		over = over[1:]
	}
}
