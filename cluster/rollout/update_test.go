package rollout

import (
	"testing"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

func TestUpdateStartFirst(t *testing.T) {
	w := newWorld(t, "n1", "n2")
	w.deploy("1")
	w.run()
	w.deploy("2")
	w.decides("create 1 t004 g2 for t001")
	w.decides() // until it is ready
	w.observe("t004", cluster.Observed{Phase: cluster.PhaseRunning, Health: cluster.HealthStarting})
	w.decides()
	w.observe("t004", cluster.Observed{Phase: cluster.PhaseRunning, Health: cluster.HealthHealthy})
	w.decides("stop t001: replaced: updated to generation 2", "create 2 t005 g2 for t002")
	w.observe("t005", running)
	w.decides("stop t002: replaced: updated to generation 2", "create 3 t006 g2 for t003")
	w.run()
	w.has("1 t004 g2 n2", "2 t005 g2 n1", "3 t006 g2 n2")
}

func TestUpdateWhoseSuccessorFailsAtTheHandover(t *testing.T) {
	w := newWorld(t, "n1", "n2")
	w.deploy("1", replicas(1))
	w.run()
	w.deploy("2", replicas(1))
	w.decides("create 1 t002 g2 for t001")
	w.observe("t002", running)
	w.crossed(1, func() { w.observe("t002", backoff) })
	w.has("1 t001 g1 n1", "1 t002 g2 n2 backoff")
}

func TestUpdateOfATaskThatBecomesReady(t *testing.T) {
	w := newWorld(t, "n1", "n2")
	w.deploy("1", replicas(1))
	w.decides("create 1 t001 g1")
	w.deploy("2", replicas(1))
	w.crossed(1, func() { w.observe("t001", running) })
	w.has("1 t001 g1 n1", "1 t002 g2 n2 assigned")
	w.run()
	w.has("1 t002 g2 n2")
}

func TestUpdateOfASuccessorThatBecomesReady(t *testing.T) {
	w := newWorld(t, "n1", "n2", "n3")
	w.deploy("1", replicas(1))
	w.run()
	w.condition("n1", cluster.Down)
	w.decides("create 1 t002 g1 for t001")
	w.deploy("2", replicas(1))
	w.crossed(1, func() { w.observe("t002", running) })
	w.has("1 t001 g1 n1 lost", "1 t002 g1 n2")
}

func TestUpdateStopFirst(t *testing.T) {
	w := newWorld(t, "n1", "n2")
	w.deploy("1", stopFirst)
	w.run()
	w.deploy("2", stopFirst)
	w.decides("stop t001: updated to generation 2")
	w.decides() // until it is over
	w.observe("t001", exited)
	w.decides("create 1 t004 g2 for t001")
	w.decides()
	w.observe("t004", running)
	w.decides("stop t002: updated to generation 2")
	w.condition("n2", cluster.Down) // nobody will tell of its end
	w.decides("create 2 t005 g2 for t002")
}

func TestUpdateParallelism(t *testing.T) {
	w := newWorld(t, "n1", "n2")
	w.deploy("1", replicas(5), parallel(2))
	w.run()
	w.deploy("2", replicas(5), parallel(2))
	w.decides("create 1 t006 g2 for t001", "create 2 t007 g2 for t002")
	w.observe("t007", running)
	w.decides("stop t002: replaced: updated to generation 2", "create 3 t008 g2 for t003")
}

func TestUpdateDelay(t *testing.T) {
	slow := func(s *cluster.ServiceSpec) { s.Update.Delay = 10 * time.Second }
	w := newWorld(t, "n1")
	w.deploy("1", replicas(2), slow)
	w.run()
	w.now = w.now.Add(time.Minute)
	w.deploy("2", replicas(2), slow)
	w.decides("create 1 t003 g2 for t001") // the first does not wait
	w.now = w.now.Add(time.Second)
	w.observe("t003", running)
	w.decides("stop t001: replaced: updated to generation 2")
	if want := w.now.Add(10 * time.Second); !w.wake.Equal(want) {
		t.Errorf("wake at %s, want %s", w.wake, want)
	}
	w.now = w.wake
	w.decides("create 2 t004 g2 for t002")
}

func TestBrokenUpdateCostsNoHealthyTask(t *testing.T) {
	for _, order := range []cluster.Order{cluster.StartFirst, cluster.StopFirst} {
		t.Run(string(order), func(t *testing.T) {
			ordered := func(s *cluster.ServiceSpec) { s.Update.Order = order }
			w := newWorld(t, "n1", "n2")
			w.judgeNothing()
			w.deploy("1", ordered)
			w.run()
			w.deploy("2", ordered)
			w.run(2)
			if order == cluster.StartFirst {
				w.has("1 t001 g1 n1", "1 t004 g2 n2 backoff", "2 t002 g1 n2", "3 t003 g1 n1")
			} else {
				w.has("1 t004 g2 n1 backoff", "2 t002 g1 n2", "3 t003 g1 n1")
			}
			w.deploy("3", ordered) // the repair goes on where the broken one stuck
			w.run()
			for task := range w.st.View().TasksOf(web) {
				if live(task) && task.Generation != 3 {
					t.Errorf("%s is of generation %d, want 3", task.ID, task.Generation)
				}
			}
		})
	}
}

func TestUpdateThatFindsNoRoomCostsNoHealthyTask(t *testing.T) {
	w := newWorld(t, "n1")
	w.deploy("1")
	w.run()
	w.full = true
	w.deploy("2")
	w.run()
	w.has("1 t001 g1 n1", "1 t004 g2 - pending", "2 t002 g1 n1", "3 t003 g1 n1")
}

func TestStopFirstUpdateThatFindsNoRoomStops(t *testing.T) {
	w := newWorld(t, "n1")
	w.deploy("1", stopFirst)
	w.run()
	w.full = true
	w.deploy("2", stopFirst)
	w.run()
	w.has("1 t004 g2 - pending", "2 t002 g1 n1", "3 t003 g1 n1")
}

func TestOldTasksThatDoNotRunAreReplacedAtOnce(t *testing.T) {
	w := newWorld(t, "n1", "n2")
	w.deploy("1")
	w.step()
	w.observe("t001", running)
	w.observe("t002", backoff)
	w.deploy("2")
	w.decides(
		"stop t002: updated to generation 2", "stop t003: updated to generation 2",
		"create 2 t004 g2 for t002", "create 3 t005 g2 for t003")
	w.decides() // t001 runs: it waits for those
	w.observe("t004", running)
	w.observe("t005", running)
	w.decides("create 1 t006 g2 for t001")
}

func TestPendingTasksHoldUpNoUpdate(t *testing.T) {
	w := newWorld(t, "n1")
	w.deploy("1", replicas(1))
	w.run()
	w.full = true
	w.deploy("1", replicas(3)) // no room for two
	w.run()
	w.deploy("2", replicas(3))
	w.decides("stop t002: updated to generation 2", "stop t003: updated to generation 2",
		"create 2 t004 g2", "create 3 t005 g2")
	w.decides("create 1 t006 g2 for t001") // those have been refused a node
}

func TestUnreadyTasksAreUpdatedFirst(t *testing.T) {
	w := newWorld(t, "n1")
	w.deploy("1")
	w.run()
	w.observe("t002", cluster.Observed{Phase: cluster.PhaseRunning, Health: cluster.HealthUnhealthy})
	w.deploy("2")
	w.decides("create 2 t004 g2 for t002")
}

func TestUpdateDuringAnUpdate(t *testing.T) {
	w := newWorld(t, "n1", "n2")
	w.deploy("1")
	w.run()
	w.deploy("2")
	w.step()
	w.deploy("3")
	w.decides("stop t004: updated to generation 3", "create 1 t005 g3 for t001")
	w.run()
	w.has("1 t005 g3 n1", "2 t006 g3 n2", "3 t007 g3 n1")
}

func TestReadySuccessorOfAnOldGenerationTakesOverFirst(t *testing.T) {
	w := newWorld(t, "n1", "n2")
	w.deploy("1", replicas(1))
	w.run()
	w.deploy("2", replicas(1))
	w.step()
	w.observe("t002", running)
	w.deploy("3", replicas(1))
	w.decides("stop t001: replaced: updated to generation 3", "create 1 t003 g3 for t002")
}

func TestRestartMakesNewTasks(t *testing.T) {
	w := newWorld(t, "n1")
	w.deploy("1", replicas(2))
	w.run()
	w.do(state.Restart{Service: web})
	w.run()
	w.has("1 t003 g2 n1", "2 t004 g2 n1")
}

// A new task that fails after its monitor time holds up the update, and so it fails
// it: nothing else would end that.
func TestUpdateThatIsHeldUpByALateFailureReturns(t *testing.T) {
	w := proven(t)
	w.deploy("2")
	w.step()
	w.observe("t004", running)
	w.now = w.now.Add(time.Minute)
	w.observe("t004", cluster.Observed{Phase: cluster.PhaseBackoff, Restarts: 1, Started: w.now.Add(-time.Second), Finished: w.now})
	w.prove()
	if s := w.service(); s.Generation != 1 || s.Returned == nil {
		t.Errorf("generation %d, returned %+v", s.Generation, s.Returned)
	}
}
