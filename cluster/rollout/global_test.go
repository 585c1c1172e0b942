package rollout

import (
	"strings"
	"testing"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

func globalWorld(t *testing.T, edit ...func(*cluster.ServiceSpec)) *world {
	w := newWorld(t, "n1", "n2", "n3")
	w.deploy("1", append(edit, global)...)
	w.run()
	w.has("1 t001 g1 n1", "2 t002 g1 n2", "3 t003 g1 n3")
	return w
}

func TestGlobalFollowsTheNodes(t *testing.T) {
	w := globalWorld(t)
	w.do(state.JoinNode{Token: "tok", Node: cluster.Node{ID: "n0", Name: "n0", Capacity: cluster.Resources{MilliCPU: 1000}}})
	w.decides("create 4 t004 g1 on n0")
	w.do(state.RemoveNode{ID: "n2"})
	w.decides("stop t002: its node was removed")
	w.do(state.JoinNode{Token: "tok", Node: cluster.Node{ID: "n5", Name: "n5", Capacity: cluster.Resources{MilliCPU: 1000}}})
	w.decides("create 2 t005 g1 on n5")
}

func TestGlobalDrainAndBack(t *testing.T) {
	w := globalWorld(t)
	w.available("n2", cluster.Drained)
	w.decides("stop t002: node n2 is drained")
	w.agents()
	w.decides()
	w.available("n2", cluster.Active)
	w.decides("create 2 t004 g1 on n2 for t002") // its slot again
}

func TestGlobalCordonKeepsButTakesNothingNew(t *testing.T) {
	w := newWorld(t, "n1", "n2")
	w.available("n2", cluster.Cordoned)
	w.deploy("1", global)
	w.decides("create 1 t001 g1 on n1")
	w.agents()
	w.available("n1", cluster.Cordoned)
	w.decides()
	w.deploy("2", global) // nothing new, not even an update
	w.decides()
	w.available("n1", cluster.Active)
	w.decides("create 1 t002 g2 on n1 for t001")
}

func TestGlobalTakesNothingNewWhereItDoesNotTolerateATaint(t *testing.T) {
	w := newWorld(t, "n1", "n2")
	taint := func(node cluster.NodeID) {
		w.do(state.LabelNode{Node: node, Set: map[string]string{cluster.TaintPrefix + "gpu": ""}})
	}
	taint("n2")
	w.deploy("1", global)
	w.run()
	w.has("1 t001 g1 n1")
	taint("n1") // moves nothing
	w.decides()
	w.deploy("1", global, func(s *cluster.ServiceSpec) { s.Placement.Tolerations = []string{"gpu"} })
	w.decides("create 2 t002 g1 on n2")
}

func TestGlobalConstraints(t *testing.T) {
	w := newWorld(t, "n1", "n2")
	w.do(state.LabelNode{Node: "n2", Set: map[string]string{"disk": "ssd"}})
	w.deploy("1", global, constrained("node.labels.disk==ssd"))
	w.run()
	w.has("1 t001 g1 n2")
	w.do(state.LabelNode{Node: "n1", Set: map[string]string{"disk": "ssd"}})
	w.do(state.LabelNode{Node: "n2", Remove: []string{"disk"}})
	w.decides("stop t001: node n2 does not match node.labels.disk==ssd any more", "create 2 t002 g1 on n1")
}

func TestConstraintThatCannotBeReadSetsTheServiceAside(t *testing.T) {
	w := newWorld(t, "n1")
	w.deploy("1", global, constrained("whatever"))
	got := w.step()
	if len(got) != 1 || !strings.HasPrefix(got[0], "set aside s/web: its constraints cannot be read") {
		t.Errorf("decided %q, want the service set aside", got)
	}
}

func TestGlobalLossWaitsForItsNode(t *testing.T) {
	w := globalWorld(t)
	w.condition("n2", cluster.Down)
	w.decides()
	w.deploy("2", global)
	w.run() // the update passes it by
	w.has("1 t004 g2 n1", "2 t002 g1 n2 lost", "3 t005 g2 n3")
	w.condition("n2", cluster.Ready)
	w.run()
	w.has("1 t004 g2 n1", "2 t006 g2 n2", "3 t005 g2 n3")
}

func TestGlobalUpdateOneNodeAtATime(t *testing.T) {
	w := globalWorld(t, stopFirst)
	w.deploy("2", global, stopFirst)
	w.decides("stop t001: updated to generation 2")
	w.agents()
	w.decides("create 1 t004 g2 on n1 for t001")
	w.agents()
	w.decides("stop t002: updated to generation 2")
}

func TestGlobalTakesNothingNewOnQuarantinedNodes(t *testing.T) {
	w := newWorld(t, "n1", "n2")
	w.opts.Quarantine = map[cluster.NodeID]time.Time{"n1": w.now.Add(time.Minute)}
	w.deploy("1", global)
	w.decides("create 1 t001 g1 on n2")
	w.now = w.now.Add(time.Minute)
	w.decides("create 2 t002 g1 on n1")
}

func TestReplicatedBecomesGlobal(t *testing.T) {
	w := newWorld(t, "n1", "n2")
	w.deploy("1", replicas(3))
	w.run()
	w.has("1 t001 g1 n1", "2 t002 g1 n2", "3 t003 g1 n1")
	w.deploy("1", global)
	w.decides("stop t003: another task holds its slot", "create 1 t004 g1 on n1 for t001")
	w.run()
	w.has("1 t004 g1 n1", "2 t005 g1 n2")
}

func TestReplicatedBecomesGlobalWhileItsNodeIsAway(t *testing.T) {
	w := newWorld(t, "n1")
	w.deploy("1", replicas(2))
	w.step()
	w.observe("t002", running)
	w.condition("n1", cluster.Away)
	w.deploy("1", global)
	w.decides("stop t001: another task holds its slot")
}

func TestReplicatedBecomesGlobalWhenAReplacementIsReady(t *testing.T) {
	w := newWorld(t, "n1", "n2")
	w.deploy("1", replicas(1))
	w.run()
	w.has("1 t001 g1 n1")
	w.condition("n1", cluster.Down)
	w.step()
	w.observe("t002", running) // before the leader could hand over
	w.deploy("2", global)
	w.decides("create 2 t003 g2 on n2 for t002")
	w.run()
	w.has("1 t001 g1 n1 lost", "2 t003 g2 n2")
}

func TestGlobalBecomesReplicated(t *testing.T) {
	w := globalWorld(t)
	w.deploy("1", replicas(2))
	w.decides("stop t003: scaled to 2", "create 1 t004 g1 for t001")
	w.run()
	for task := range w.st.View().TasksOf(web) {
		if live(task) && (task.Pinned != "" || task.Slot > 2) {
			t.Errorf("%s is in slot %d, pinned to %q", task.ID, task.Slot, task.Pinned)
		}
	}
}
