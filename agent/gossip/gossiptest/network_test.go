package gossiptest

import (
	"errors"
	"io"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

const a, b = "10.0.0.1:7071", "10.0.0.2:7071"

// received sends one packet and reports whether it arrived.
func received(from, to *Transport) bool {
	if _, err := from.WriteTo([]byte("x"), to.Addr()); err != nil {
		return false
	}
	time.Sleep(2 * Latency)
	select {
	case <-to.PacketCh():
		return true
	default:
		return false
	}
}

func TestLinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork()
		ta, tb := n.Transport(a), n.Transport(b)
		check := func(when string, ab, ba, dial bool) {
			t.Helper()
			if got := received(ta, tb); got != ab {
				t.Errorf("%s: a to b arrives: %v", when, got)
			}
			if got := received(tb, ta); got != ba {
				t.Errorf("%s: b to a arrives: %v", when, got)
			}
			start := time.Now()
			_, err := ta.DialTimeout(b, time.Second)
			if (err == nil) != dial {
				t.Errorf("%s: dial: %v", when, err)
			}
			if !dial && (!errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != time.Second) {
				t.Errorf("%s: dial ended after %v with %v, want a time-out of 1s", when, time.Since(start), err)
			}
		}
		check("at first", true, true, true)
		n.Cut(a, b)
		check("cut one way", false, true, false)
		n.Mend(a, b)
		check("mended", true, true, true)
		n.Partition([]string{a}, []string{b})
		check("partitioned", false, false, false)
		n.Heal()
		check("healed", true, true, true)
		n.Kill(b)
		check("killed", false, false, false)
		old := tb
		tb = n.Transport(b)
		check("restarted", true, true, true)
		if received(old, ta) {
			t.Error("the killed program still sends")
		}
	})
}

func TestProgramThatEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork()
		ta, tb := n.Transport(a), n.Transport(b)
		_ = tb.Shutdown()
		_ = tb.Shutdown()
		start := time.Now()
		if _, err := ta.DialTimeout(b, time.Minute); err == nil || time.Since(start) != Latency {
			t.Errorf("dial of a host without program: %v after %v", err, time.Since(start))
		}
		if received(ta, tb) {
			t.Error("a packet reached a program that ended")
		}
		n.Kill(b)
		time.AfterFunc(time.Second, func() { _ = ta.Shutdown() })
		if _, err := ta.DialTimeout(b, time.Minute); err == nil || time.Since(start) > 2*time.Second {
			t.Errorf("a dial outlived its own program: %v after %v", err, time.Since(start))
		}
	})
}

func TestStreamAcrossACut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork()
		ta, tb := n.Transport(a), n.Transport(b)
		near, err := ta.DialTimeout(b, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		far := <-tb.StreamCh()
		if near.RemoteAddr().String() != b || far.RemoteAddr().String() != a {
			t.Errorf("ends at %v and %v", near.RemoteAddr(), far.RemoteAddr())
		}
		go func() { _, _ = near.Write([]byte("hi")) }()
		buf := make([]byte, 2)
		if _, err := io.ReadFull(far, buf); err != nil || string(buf) != "hi" {
			t.Fatalf("read %q, %v", buf, err)
		}
		n.Cut(a, b)
		if k, err := near.Write([]byte("lost")); k != 4 || err != nil {
			t.Errorf("a write into a cut must not notice: %d, %v", k, err)
		}
		n.Heal()
		if _, err := near.Write([]byte("after the gap")); err != nil {
			t.Error(err)
		}
		_ = near.Close()
		_ = far.SetReadDeadline(time.Now().Add(time.Second))
		if _, err := far.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the far end got something after a gap: %v", err)
		}
		if _, err := near.Read(buf); err == nil {
			t.Error("read from a closed end")
		}
		_ = far.Close()
	})
}
