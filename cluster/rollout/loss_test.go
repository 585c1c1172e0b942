package rollout

import (
	"testing"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// lossWorld has web's three tasks on n1, n2, n3.
func lossWorld(t *testing.T, edit ...func(*cluster.ServiceSpec)) *world {
	w := newWorld(t, "n1", "n2", "n3")
	w.deploy("1", edit...)
	w.run()
	w.has("1 t001 g1 n1", "2 t002 g1 n2", "3 t003 g1 n3")
	return w
}

func TestLostTaskIsReplacedAndKeptUntilThen(t *testing.T) {
	w := lossWorld(t)
	w.condition("n2", cluster.Down)
	w.decides("create 2 t004 g1 for t002")
	w.decides()
	w.has("1 t001 g1 n1", "2 t002 g1 n2 lost", "2 t004 g1 n1 assigned", "3 t003 g1 n3")
	w.observe("t004", running)
	w.decides("stop t002: replaced: node n2 is down")
	w.decides()
}

func TestNodeThatIsBackKeepsWhatWasNotReplaced(t *testing.T) {
	w := lossWorld(t)
	w.condition("n2", cluster.Down)
	w.step()
	w.condition("n2", cluster.Ready)
	w.decides("stop t004: withdrawn: node n2 is back")
	w.run()
	w.has("1 t001 g1 n1", "2 t002 g1 n2", "3 t003 g1 n3")
}

func TestNodeThatIsBackWithoutItsTask(t *testing.T) {
	w := lossWorld(t)
	w.condition("n2", cluster.Down)
	w.step()
	w.condition("n2", cluster.Ready)
	w.observe("t002", cluster.Observed{Phase: cluster.PhaseStarting}) // after a reboot
	w.decides()                                                       // the first to be ready wins
	w.observe("t004", running)
	w.decides("stop t002: replaced")
}

func TestAwayMovesNothing(t *testing.T) {
	w := lossWorld(t)
	w.condition("n2", cluster.Away)
	w.decides()
}

func TestEngineErrorMovesNothing(t *testing.T) {
	w := lossWorld(t)
	w.do(state.UpdateNode{ID: "n2", EngineError: "hung", Capacity: cluster.Resources{MilliCPU: 64000, Memory: 64 << 30}})
	w.decides()
}

func TestReplacementOnANodeThatDies(t *testing.T) {
	w := lossWorld(t)
	w.condition("n2", cluster.Down)
	w.step() // t004 on n1
	w.condition("n1", cluster.Down)
	w.decides("stop t004: node n1 is down", "create 1 t005 g1 for t001", "create 2 t006 g1 for t002")
	w.run()
	w.has("1 t005 g1 n3", "2 t006 g1 n3", "3 t003 g1 n3")
}

func TestReadyReplacementOnANodeThatDies(t *testing.T) {
	w := lossWorld(t)
	w.condition("n2", cluster.Down)
	w.step()
	w.observe("t004", running)
	w.step()
	w.condition("n1", cluster.Down)
	w.decides("create 1 t005 g1 for t001", "create 2 t006 g1 for t004")
}

func TestLossOfAnOldGenerationIsReplacedByTheNew(t *testing.T) {
	w := lossWorld(t)
	w.deploy("2")
	w.step() // slot 1 is being updated
	w.condition("n3", cluster.Down)
	w.decides("create 3 t005 g2 for t003")
	w.run()
	w.has("1 t004 g2 n1", "2 t006 g2 n1", "3 t005 g2 n2")
}

func TestPendingReplacementOfALostTaskHoldsUpNoUpdate(t *testing.T) {
	w := lossWorld(t)
	w.full = true
	w.condition("n3", cluster.Down)
	w.step()
	w.deploy("2")
	w.decides("stop t004: updated to generation 2", "create 3 t005 g2 for t003")
	w.decides("create 1 t006 g2 for t001")
}

func TestRemovedNodesTasksAreReplaced(t *testing.T) {
	w := lossWorld(t)
	w.do(state.RemoveNode{ID: "n2"})
	w.decides("stop t002: its node was removed", "create 2 t004 g1")
	w.run()
	w.has("1 t001 g1 n1", "2 t004 g1 n1", "3 t003 g1 n3")
}

func TestNodeRemovedWhileItsTaskIsBeingReplaced(t *testing.T) {
	w := lossWorld(t)
	w.condition("n2", cluster.Down)
	w.step()
	w.do(state.RemoveNode{ID: "n2"})
	w.decides("stop t002: its node was removed")
	w.run()
	w.has("1 t001 g1 n1", "2 t004 g1 n1", "3 t003 g1 n3")
}

func TestLossOfAStopFirstServiceWaitsForNobody(t *testing.T) {
	w := lossWorld(t, stopFirst)
	w.condition("n2", cluster.Down)
	w.decides("create 2 t004 g1 for t002")
}

func TestLossRate(t *testing.T) {
	w := newWorld(t, "n1", "n2")
	w.deploy("1", replicas(6))
	w.run()
	w.opts.LossRate = 2
	w.now = w.now.Add(time.Minute)
	w.condition("n2", cluster.Down)
	w.decides("create 2 t007 g1 for t002", "create 4 t008 g1 for t004")
	if want := w.now.Add(time.Second); !w.wake.Equal(want) {
		t.Fatalf("wake at %s, want %s", w.wake, want)
	}
	w.now = w.wake
	w.decides("create 6 t009 g1 for t006")
}

// The rate is of any second: room in it comes back as the first replacements grow
// older, although the decision that finds none is made later.
func TestLossRateIsFreeAgainWhenTheFirstAreOlder(t *testing.T) {
	w := newWorld(t, "n1", "n2")
	w.deploy("1", replicas(6))
	w.run()
	w.opts.LossRate = 2
	w.now = w.now.Add(time.Minute)
	w.condition("n2", cluster.Down)
	begun := w.now
	w.decides("create 2 t007 g1 for t002", "create 4 t008 g1 for t004")
	w.now = begun.Add(900 * time.Millisecond)
	w.decides()
	if want := begun.Add(time.Second); !w.wake.Equal(want) {
		t.Fatalf("wake at %s, want %s", w.wake, want)
	}
	w.now = w.wake
	w.decides("create 6 t009 g1 for t006")
}

func TestDrainStartFirst(t *testing.T) {
	w := newWorld(t, "n1", "n2", "n3")
	w.deploy("1", replicas(6))
	w.run()
	w.available("n1", cluster.Drained)
	w.decides("create 1 t007 g1 for t001")
	w.decides()
	w.observe("t007", running)
	w.decides("stop t001: replaced: node n1 is drained", "create 4 t008 g1 for t004")
	w.run()
	w.has("1 t007 g1 n2", "2 t002 g1 n2", "3 t003 g1 n3", "4 t008 g1 n3", "5 t005 g1 n2", "6 t006 g1 n3")
}

func TestDrainThatIsLifted(t *testing.T) {
	w := lossWorld(t)
	w.available("n1", cluster.Drained)
	w.step()
	w.available("n1", cluster.Active)
	w.decides("stop t004: withdrawn: node n1 is back")
}

func TestDrainStopFirst(t *testing.T) {
	w := lossWorld(t, stopFirst)
	w.available("n1", cluster.Drained)
	w.decides("stop t001: node n1 is drained")
	w.agents()
	w.decides("create 1 t004 g1 for t001")
}

// The drain was decided about, but not yet carried out.
func TestDrainThatIsLiftedJustInTime(t *testing.T) {
	for name, w := range map[string]*world{"stop-first": lossWorld(t, stopFirst), "global": globalWorld(t)} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			w.available("n1", cluster.Drained)
			w.crossed(1, func() { w.available("n1", cluster.Active) })
			w.has("1 t001 g1 n1", "2 t002 g1 n2", "3 t003 g1 n3")
			w.decides()
		})
	}
}

func TestDrainWithoutRoomElsewhere(t *testing.T) {
	w := lossWorld(t)
	w.full = true
	w.available("n1", cluster.Drained)
	w.run()
	w.has("1 t001 g1 n1", "1 t004 g1 - pending", "2 t002 g1 n2", "3 t003 g1 n3")
}

func TestSuccessorOnANodeThatIsDrained(t *testing.T) {
	w := lossWorld(t)
	w.available("n1", cluster.Drained)
	w.step()
	w.has("1 t001 g1 n1", "1 t004 g1 n2 assigned", "2 t002 g1 n2", "3 t003 g1 n3")
	w.available("n2", cluster.Drained)
	w.decides("stop t004: node n2 is drained", "create 1 t005 g1 for t001")
	w.run()
	w.has("1 t005 g1 n3", "2 t006 g1 n3", "3 t003 g1 n3")
}

func TestCordonMovesNothing(t *testing.T) {
	w := lossWorld(t)
	w.available("n1", cluster.Cordoned)
	w.decides()
}
