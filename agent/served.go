package agent

import (
	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/dataplane"
	"github.com/musterhq/muster/lb"
)

// serveTable has this node's balancers go by a table. Those of feeds and those of
// heartbeats come one after the other.
func (m *member) serveTable(next func() lb.Input) {
	m.tables.Lock()
	defer m.tables.Unlock()
	in := next()
	m.given = api.Position{Epoch: in.Epoch, Index: in.Index}
	m.traffic.Set(dataplane.Table{Cluster: m.identity.Load().ClusterID, Node: m.self, Input: in})
	m.uplink.hurry() // where another process serves it, that says so later
}

// serves is the state that this node's balancers go by; nil while it is not
// known. Where the newest table is in effect, that is the state of the newest
// frame: since that table nothing has changed for the balancers.
func (m *member) serves() *api.Position {
	at := m.position() // before the table is looked at, which may be a newer one
	m.tables.Lock()
	defer m.tables.Unlock()
	epoch, index, ok := m.traffic.Served()
	if !ok {
		return nil
	}
	serves := api.Position{Epoch: epoch, Index: index}
	if newest := (api.Position{Epoch: at.epoch, Index: at.index}); serves == m.given && serves.Before(newest) {
		return &newest
	}
	return &serves
}
