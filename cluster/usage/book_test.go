package usage

import (
	"testing"
	"time"

	"github.com/musterhq/muster/cluster"
)

const mib = int64(1) << 20

var (
	web  = Slot{Service: "shop/web", Slot: 1}
	here = cluster.NodeID("n1")
)

func TestAHostsOwnLoadIsWhatOursDoNotUse(t *testing.T) {
	b := NewBook()
	b.Add(monday, here, cluster.Resources{MilliCPU: 1500, Memory: 900 * mib}, []Sample{
		{Slot: web, Used: cluster.Resources{MilliCPU: 400, Memory: 300 * mib}},
		{Slot: Slot{Service: "shop/db", Slot: 1}, Used: cluster.Resources{MilliCPU: 100, Memory: 100 * mib}},
	})
	got, ok := b.Other(here, monday)
	if want := (cluster.Resources{MilliCPU: 1000, Memory: 500 * mib}); !ok || got != want {
		t.Errorf("other load %+v, %t; want %+v", got, ok, want)
	}
	if got, want := b.Demand(web), (cluster.Resources{MilliCPU: 400, Memory: 300 * mib}); got != want {
		t.Errorf("web needs %+v, want %+v", got, want)
	}
}

// Containers are measured a moment before their host: their sum can be more.
func TestTasksThatUseMoreThanTheirHost(t *testing.T) {
	b := NewBook()
	b.Add(monday, here, cluster.Resources{MilliCPU: 100}, []Sample{{Slot: web, Used: cluster.Resources{MilliCPU: 300}}})
	if got, ok := b.Other(here, monday); !ok || got.MilliCPU != 0 {
		t.Errorf("other load %+v, %t; want none", got, ok)
	}
}

func TestOldMeasurementsSayNothingOfNow(t *testing.T) {
	b := NewBook()
	b.Add(monday, here, cluster.Resources{MilliCPU: 100}, nil)
	late := monday.Add(stale + time.Second)
	if r, ok := b.Other(here, late); ok {
		t.Errorf("other load %+v is known after %s", r, stale)
	}
	if r, _, ok := b.Used(here, late); ok {
		t.Errorf("used %+v is known after %s", r, stale)
	}
	if r, _, ok := b.Used("n2", monday); ok {
		t.Errorf("used %+v is known of a node that was never measured", r)
	}
}

// A slot that moves to another node takes its history with it.
func TestASlotsHistoryOutlivesItsTask(t *testing.T) {
	b := NewBook()
	b.Add(monday, here, cluster.Resources{MilliCPU: 900}, []Sample{{Slot: web, Used: cluster.Resources{MilliCPU: 900}}})
	b.Add(monday.Add(Every), "n2", cluster.Resources{MilliCPU: 10}, []Sample{{Slot: web, Used: cluster.Resources{MilliCPU: 10}}})
	if got := b.Demand(web).MilliCPU; got < 800 {
		t.Errorf("web needs %d thousandths of a core, want what it needed before", got)
	}
}

func TestACopyStaysAsItIs(t *testing.T) {
	b := NewBook()
	sample := []Sample{{Slot: web, Used: cluster.Resources{MilliCPU: 300}}}
	b.Add(monday, here, cluster.Resources{MilliCPU: 500}, sample)
	c := b.Copy()
	sample[0].Used.MilliCPU = 3000
	b.Add(monday.Add(Every), here, cluster.Resources{MilliCPU: 5000}, sample)
	used, at, _ := c.Used(here, monday)
	if other, _ := c.Other(here, monday); c.Demand(web).MilliCPU != 300 || other.MilliCPU != 200 || used.MilliCPU != 500 || !at.Equal(monday) {
		t.Errorf("the copy says %+v for web, %+v for the rest, %+v at %s", c.Demand(web), other, used, at)
	}
}

func TestRetain(t *testing.T) {
	b := NewBook()
	b.Add(monday, here, cluster.Resources{MilliCPU: 900}, []Sample{{Slot: web, Used: cluster.Resources{MilliCPU: 900}}})
	b.Retain(func(cluster.ServiceID) bool { return true }, func(cluster.NodeID) bool { return true })
	if b.Demand(web).MilliCPU != 900 {
		t.Error("what is there was forgotten")
	}
	b.Retain(func(cluster.ServiceID) bool { return false }, func(cluster.NodeID) bool { return false })
	if _, ok := b.Other(here, monday); ok || b.Demand(web) != (cluster.Resources{}) {
		t.Error("what is gone is remembered")
	}
}
