package overlay

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/musterhq/muster/cluster"
)

// PeerStats is the encrypted traffic with another host. The counts begin anew
// when a process with a WireGuard of its own does.
type PeerStats struct {
	Node           cluster.NodeID
	Address        netip.Addr // among hosts
	Sent, Received uint64     // bytes
	Handshake      time.Time  // the last one; zero: the host has not answered yet
}

// Stats are those of the wanted peers that WireGuard knows; none without it.
func (d *Device) Stats() ([]PeerStats, error) {
	d.work.Lock()
	defer d.work.Unlock()
	want := d.wanted()
	if d.host.wg == nil || want == nil {
		return nil, nil
	}
	all, err := d.host.wg.traffic()
	if err != nil {
		return nil, fmt.Errorf("ask WireGuard for its counts: %w", err)
	}
	byKey := make(map[string]traffic, len(all))
	for _, t := range all {
		byKey[t.Key] = t
	}
	var out []PeerStats
	for _, p := range want.Peers {
		if t, known := byKey[p.Key]; known {
			out = append(out, PeerStats{Node: p.Node, Address: p.Address, Sent: t.Sent, Received: t.Received, Handshake: t.Handshake})
		}
	}
	return out, nil
}
