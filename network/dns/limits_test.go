package dns

import (
	"net/netip"
	"testing"
	"time"
)

func TestFloodOfOneTakesNothingFromOthers(t *testing.T) {
	var c clients
	now, a, b := time.Unix(1, 0), netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	taken := 0
	for range 3 * perSecond {
		if _, ok := c.take(a, now); ok {
			taken++
		}
	}
	if taken != perSecond {
		t.Errorf("a client asked %d questions at once, want %d", taken, perSecond)
	}
	if _, ok := c.take(b, now); !ok {
		t.Error("another client may not ask")
	}
	if _, ok := c.take(a, now.Add(time.Second)); !ok {
		t.Error("a second later the client may not ask")
	}
}

func TestForwardsAreBounded(t *testing.T) {
	var c clients
	now, n := time.Unix(1, 0), 0
	var first *client
	for a := netip.MustParseAddr("10.0.0.1"); n < maxForwards; a = a.Next() {
		x, _ := c.take(a, now)
		if first == nil {
			first = x
		}
		of := 0
		for c.begin(x) {
			of++
		}
		if n += of; of > clientForwards || of == 0 {
			t.Fatalf("a client has %d questions at upstreams", of)
		}
	}
	c.end(first)
	if n != maxForwards || c.forwards != maxForwards-1 || !c.begin(first) {
		t.Errorf("%d questions at upstreams at once", n)
	}
}

func TestClientsThatAreTooManyShareAMeasure(t *testing.T) {
	var c clients
	now, a := time.Unix(1, 0), netip.MustParseAddr("10.0.0.1")
	busy := c.connect(a, now)
	for range maxClients + 100 {
		c.take(a, now)
		a = a.Next()
	}
	if len(c.each) != maxClients {
		t.Fatalf("%d clients are told apart", len(c.each))
	}
	shared, _ := c.take(a, now)
	if shared != &c.others {
		t.Error("one that there is no room for has a measure of its own")
	}
	later := now.Add(time.Minute)
	if x, _ := c.take(a, later); x == &c.others || len(c.each) != 2 {
		t.Errorf("after a silent minute %d clients are told apart", len(c.each))
	}
	if c.each[netip.MustParseAddr("10.0.0.1")] != busy {
		t.Error("a client with a connection was forgotten")
	}
	c.disconnect(busy)
	if c.conns != 0 || busy.conns != 0 {
		t.Errorf("%d connections are left", c.conns)
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	var c clients
	n := 0
	for c.connect(task, time.Unix(1, 0)) != nil {
		n++
	}
	if n != clientConns {
		t.Errorf("a client has %d connections", n)
	}
}
