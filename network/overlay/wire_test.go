package overlay

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"
)

// bulk is more than any buffer on the way, and no multiple of a packet.
const bulk = 10<<20 + 1

// TestNothingIsPlain: what containers say to each other is read on the wire
// without encryption, and not with it.
func TestNothingIsPlain(t *testing.T) {
	for name, encrypt := range map[string]bool{"encrypted": true, "plain": false} {
		t.Run(name, func(t *testing.T) {
			w := run(t, 2, encrypt)
			tap := w.wire.capture("port1")
			w.reach(1, 2)
			w.reach(2, 1)
			canary := []byte("a canary that sings on the wire")
			c, _, err := w.hosts[0].container.dial(echoOf(2), patience)
			if err != nil {
				t.Fatal(err)
			}
			say(t, c, canary)
			packets := captured(t, tap)
			if seen := anyContains(packets, canary); seen == encrypt || len(packets) == 0 {
				t.Errorf("the canary is in %d packets: %v", len(packets), seen)
			}
			// Full packets: one that were too large for the way would be lost, for
			// containers do not let theirs be fragmented.
			say(t, c, bytes.Repeat([]byte("0123456789abcdef"), bulk/16))
			if n := fragments(captured(t, tap)); n > 0 {
				t.Errorf("%d fragments: packets are larger than the way", n)
			}
			for _, m := range w.hosts {
				if p := m.problems(); p != "" {
					t.Errorf("host %d: %s", m.number, p)
				}
			}
			w.counted(encrypt)
		})
	}
}

// fragments counts those of IPv4: its header follows Ethernet's 14 bytes, and has
// the flags and the offset at 6.
func fragments(packets [][]byte) (n int) {
	const ipv4, moreAndOffset = 0x0800, 0x3fff
	for _, p := range packets {
		if len(p) > 22 && binary.BigEndian.Uint16(p[12:]) == ipv4 && binary.BigEndian.Uint16(p[20:])&moreAndOffset != 0 {
			n++
		}
	}
	return n
}

func (w *world) counted(encrypt bool) {
	w.t.Helper()
	var stats []PeerStats
	w.hosts[0].ask("Stats", false, &stats)
	if !encrypt {
		if len(stats) != 0 {
			w.t.Errorf("counts %+v", stats)
		}
		return
	}
	if len(stats) != 1 || stats[0].Node != "node2" || stats[0].Sent < bulk || stats[0].Received < bulk || time.Since(stats[0].Handshake) > time.Hour {
		w.t.Errorf("counts %+v", stats)
	}
}

// TestFramesGoToTheirHostOnly: a bridge sends to no other port what is for another
// host, and to no other host what is for a container that it does not know.
func TestFramesGoToTheirHostOnly(t *testing.T) {
	w := run(t, 2, false)
	idle := w.hosts[0].space.container("veth2", testBridge, "10.194.1.99/22", encryptedMTU)
	w.reach(1, 2)
	beside, wire := idle.capture("eth0"), w.wire.capture("port1")
	canary := []byte("a canary that sings to its own host")
	c, _, err := w.hosts[0].container.dial(echoOf(2), patience)
	if err != nil {
		t.Fatal(err)
	}
	say(t, c, canary)
	if anyContains(captured(t, beside), canary) {
		t.Error("another container on the same host sees it")
	}
	captured(t, wire)
	if c, _, err := w.hosts[0].container.dial("10.194.1.77:1", time.Second); err == nil {
		_ = c.Close()
		t.Error("nobody answers")
	}
	asked := inside(77).As4()
	if anyContains(captured(t, wire), asked[:]) {
		t.Error("the question for an unknown container went to another host")
	}
}
