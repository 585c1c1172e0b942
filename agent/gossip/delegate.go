package gossip

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
)

// delegate takes all of memberlist's callbacks. They run on its packet path
// and under its lock: none blocks, none calls back into memberlist.
type delegate struct {
	clusterID string
	meta      atomic.Pointer[[]byte] // encoded
	dir       *directory
}

var (
	_ memberlist.Delegate      = (*delegate)(nil)
	_ memberlist.EventDelegate = (*delegate)(nil)
	_ memberlist.AliveDelegate = (*delegate)(nil)
	_ memberlist.MergeDelegate = (*delegate)(nil)
	_ memberlist.PingDelegate  = (*delegate)(nil)
)

// NodeMeta implements memberlist.Delegate.
func (d *delegate) NodeMeta(int) []byte { return *d.meta.Load() }

// NotifyMsg implements memberlist.Delegate; there are no user messages.
func (d *delegate) NotifyMsg([]byte) {}

// GetBroadcasts implements memberlist.Delegate; there are no user messages.
func (d *delegate) GetBroadcasts(int, int) [][]byte { return nil }

// LocalState implements memberlist.Delegate; membership is all there is.
func (d *delegate) LocalState(bool) []byte { return nil }

// MergeRemoteState implements memberlist.Delegate.
func (d *delegate) MergeRemoteState([]byte, bool) {}

// NotifyAlive refuses members of another cluster one by one, as they are
// heard of through others.
func (d *delegate) NotifyAlive(n *memberlist.Node) error {
	_, err := d.admit(n)
	return err
}

// NotifyMerge refuses to join with a host that lists a member of another
// cluster.
func (d *delegate) NotifyMerge(nodes []*memberlist.Node) error {
	for _, n := range nodes {
		if _, err := d.admit(n); err != nil {
			return err
		}
	}
	return nil
}

func (d *delegate) admit(n *memberlist.Node) (Meta, error) {
	meta, err := decodeMeta(n.Meta)
	if err != nil {
		return Meta{}, fmt.Errorf("member %s at %s refused: %w", n.Name, n.Address(), err)
	}
	if meta.ClusterID != d.clusterID {
		return Meta{}, fmt.Errorf("member %s at %s refused: it belongs to cluster %s, this one is %s",
			n.Name, n.Address(), meta.ClusterID, d.clusterID)
	}
	return meta, nil
}

// NotifyJoin implements memberlist.EventDelegate.
func (d *delegate) NotifyJoin(n *memberlist.Node) {
	// NotifyAlive let it pass, so this decodes.
	if meta, err := d.admit(n); err == nil {
		d.dir.heard(n, meta, time.Now())
	}
}

// NotifyUpdate implements memberlist.EventDelegate.
func (d *delegate) NotifyUpdate(n *memberlist.Node) { d.NotifyJoin(n) }

// NotifyLeave implements memberlist.EventDelegate. memberlist does not tell a
// member that left from one that died.
func (d *delegate) NotifyLeave(n *memberlist.Node) { d.dir.lost(n.Name, time.Now()) }

// AckPayload implements memberlist.PingDelegate.
func (d *delegate) AckPayload() []byte { return nil }

// NotifyPingComplete implements memberlist.PingDelegate.
func (d *delegate) NotifyPingComplete(n *memberlist.Node, _ time.Duration, _ []byte) {
	d.dir.acked(n.Name, time.Now())
}
