package overlay

import (
	"testing"
)

// TestHandover: what containers have open goes on in the next process, and so it
// does where that one fails.
func TestHandover(t *testing.T) {
	w := run(t, 2, true)
	w.reach(1, 2)
	c, _, err := w.hosts[0].container.dial(echoOf(2), patience)
	if err != nil {
		t.Fatal(err)
	}
	say(t, c, []byte("before"))
	index := w.hosts[1].link(wireGuardLink).Attrs().Index
	for _, how := range []string{"Succeed", "FailToSucceed", "Succeed"} {
		w.hosts[1].ask(how, false, nil)
		say(t, c, []byte("after "+how))
		w.hosts[0].ask(how, false, nil)
		say(t, c, []byte("after "+how))
	}
	if now := w.hosts[1].link(wireGuardLink).Attrs().Index; now != index {
		t.Errorf("%s was made again", wireGuardLink)
	}
	w.reach(2, 1)
}

// TestKilled: without its process nothing leaves the host by another way, and the
// next process goes on.
func TestKilled(t *testing.T) {
	w := run(t, 2, true)
	w.reach(1, 2)
	c, _, err := w.hosts[0].container.dial(echoOf(2), patience)
	if err != nil {
		t.Fatal(err)
	}
	m := w.hosts[0]
	m.kill()
	if !m.has(wireGuardLink) || !m.has(testTunnel) {
		t.Fatal("its interfaces went with it")
	}
	tap := w.wire.capture("port1")
	w.unreached(1, 2)
	to := inside(2).As4()
	if anyContains(captured(t, tap), to[:]) {
		t.Error("packets left the host")
	}
	m.hostProcess = m.process(m.key)
	m.set(w.overlay(1))
	say(t, c, []byte("the connection goes on"))
	w.reach(2, 1)
	m.kill()
	m.remove(wireGuardLink)
	if m.has(testTunnel) {
		t.Error("the tunnel outlives the interface that its frames leave by")
	}
}
