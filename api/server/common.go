package server

import (
	"reflect"
	"sync"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster/state"
	"github.com/musterhq/muster/lb"
)

// commons makes what the feeds of all nodes have in common once for each view,
// whoever asks first. It is safe for concurrent use.
type commons struct {
	mu  sync.Mutex
	now common
}

// common is that part of a frame at one view.
type common struct {
	cluster      string
	epoch, index uint64

	members    []api.Member
	membersRev revision
	table      lb.Input
	tableRev   revision
}

// revision tells one content of a part from another; it grows with each change.
type revision uint64

// at is the part for a view. A view that is older than the newest one seen gets
// that one's: news may come early, never back.
func (c *commons) at(v state.View) common {
	c.mu.Lock()
	defer c.mu.Unlock()
	ident, _ := v.Cluster()
	old := &c.now
	if old.cluster == ident.ID && (v.Epoch() < old.epoch || v.Epoch() == old.epoch && v.Index() <= old.index) {
		return *old
	}
	next := common{
		cluster: ident.ID, epoch: v.Epoch(), index: v.Index(),
		members: membersOf(v), membersRev: old.membersRev, table: lb.FromView(v), tableRev: old.tableRev,
	}
	if !reflect.DeepEqual(next.members, old.members) {
		next.membersRev++
	}
	if !sameTable(next.table, old.table) {
		next.tableRev++
	}
	c.now = next
	return next
}

// sameTable compares all but the position, which changes with every commit.
func sameTable(a, b lb.Input) bool {
	a.Epoch, a.Index = b.Epoch, b.Index
	return reflect.DeepEqual(a, b)
}
