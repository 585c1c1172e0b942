package overlay

import (
	"context"
	"time"

	"github.com/vishvananda/netlink"
)

// watch wakes the Device when an interface of ours changes, or a bridge that a
// tunnel waits for. What it misses is found at the next resync.
func (d *Device) watch(ctx context.Context) {
	for ctx.Err() == nil {
		d.watchOnce(ctx)
		d.poke() // what came meanwhile
		pause(ctx, time.Second, nil)
	}
}

// watchOnce returns when the subscription ends: the kernel drops those that do not
// keep up.
func (d *Device) watchOnce(ctx context.Context) {
	updates, done := make(chan netlink.LinkUpdate, 64), make(chan struct{})
	if err := netlink.LinkSubscribe(updates, done); err != nil {
		close(done)
		d.log.Warn("network between hosts: interfaces are looked at every few seconds only", "reason", err)
		pause(ctx, resyncEvery, nil)
		return
	}
	stop := context.AfterFunc(ctx, func() { close(done) })
	for u := range updates {
		if d.concerns(u.Attrs().Name) {
			d.poke()
		}
	}
	if stop() {
		close(done)
	}
}

func (d *Device) concerns(name string) bool {
	if name == wireGuardLink || isTunnelName(name) {
		return true
	}
	if want := d.wanted(); want != nil {
		for _, t := range want.Tunnels {
			if t.Bridge == name {
				return true
			}
		}
	}
	return false
}
