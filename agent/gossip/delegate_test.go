package gossip

import (
	"net"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"
)

// Members also arrive one by one, through others, where no merge is asked for.
func TestDelegateAdmitsItsClusterOnly(t *testing.T) {
	d := &delegate{clusterID: clusterA, dir: newDirectory()}
	node := func(name, clusterID string) *memberlist.Node {
		meta, err := encodeMeta(Meta{ClusterID: clusterID})
		if err != nil {
			t.Fatal(err)
		}
		return &memberlist.Node{Name: name, Addr: net.IPv4(10, 0, 0, 1), Port: 7071, Meta: meta}
	}
	ours, foreign := node("a", clusterA), node("b", clusterB)
	mute := &memberlist.Node{Name: "c", Addr: net.IPv4(10, 0, 0, 3)}
	if err := d.NotifyAlive(ours); err != nil {
		t.Errorf("our own member: %v", err)
	}
	if err := d.NotifyMerge([]*memberlist.Node{ours}); err != nil {
		t.Errorf("a host of our cluster: %v", err)
	}
	for name, n := range map[string]*memberlist.Node{"foreign": foreign, "without metadata": mute} {
		if d.NotifyAlive(n) == nil {
			t.Errorf("%s: admitted", name)
		}
		if d.NotifyMerge([]*memberlist.Node{ours, n}) == nil {
			t.Errorf("%s: merged with a host that lists it", name)
		}
	}
}

func TestDirectoryForgetsAfterADay(t *testing.T) {
	d := newDirectory()
	for _, name := range []string{"a", "b", "c"} {
		d.heard(&memberlist.Node{Name: name, Addr: net.IPv4(10, 0, 0, 1)}, Meta{}, t0)
		d.acked(name, t0)
	}
	d.acked("nobody", t0)
	d.lost("a", t0)
	if since, dead := d.dead("a"); !dead || !since.Equal(t0) {
		t.Errorf("lost at %v: dead %v since %v", t0, dead, since)
	}
	d.lost("b", t0.Add(forgetAfter+time.Second))
	if _, dead := d.dead("a"); dead || !d.lastAck("a").IsZero() {
		t.Error("a member that died a day ago is still listed")
	}
	if got := len(d.list()); got != 2 || d.lastAck("c").IsZero() || !d.lastAck("nobody").IsZero() {
		t.Errorf("%d members listed", got)
	}
}
