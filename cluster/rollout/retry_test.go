package rollout

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/musterhq/muster/cluster"
)

func TestGivenUpTaskIsFollowedWithGrowingDelay(t *testing.T) {
	w := newWorld(t, "n1")
	w.deploy("1", replicas(1))
	w.step()
	last := cluster.TaskID("t001")
	for i, want := range []time.Duration{10, 20, 40, 80, 160, 300, 300, 300} {
		w.now = w.now.Add(time.Second)
		w.observe(last, gaveUp)
		w.decides()
		if got := w.wake.Sub(w.now); got != want*time.Second {
			t.Fatalf("failure %d: the next try is in %s, want %s", i+1, got, want*time.Second)
		}
		w.now = w.wake
		next := cluster.TaskID(fmt.Sprintf("t%03d", i+2))
		w.decides(fmt.Sprintf("stop %s: another task follows", last), fmt.Sprintf("create 1 %s g1 for %s", next, last))
		last = next
	}
}

func TestNewGenerationForgetsFailures(t *testing.T) {
	w := newWorld(t, "n1")
	w.deploy("1", replicas(1))
	w.step()
	w.observe("t001", gaveUp)
	w.decides()
	w.deploy("2", replicas(1))
	w.decides("stop t001: another task follows", "create 1 t002 g2 for t001")
}

func isCreate(line string) bool { return strings.HasPrefix(line, "create ") }

func TestRestartPolicies(t *testing.T) {
	for _, tt := range []struct {
		policy   cluster.RestartCondition
		end      cluster.Observed
		followed bool
	}{
		{"", done, true},
		{cluster.RestartAny, done, true},
		{cluster.RestartAny, gaveUp, true},
		{cluster.RestartOnFailure, done, false},
		{cluster.RestartOnFailure, gaveUp, true},
		{cluster.RestartNever, done, false},
		{cluster.RestartNever, gaveUp, false},
	} {
		t.Run(fmt.Sprintf("%s exit %d", tt.policy, tt.end.ExitCode), func(t *testing.T) {
			w := newWorld(t, "n1")
			w.deploy("1", replicas(1), restart(tt.policy))
			w.step()
			w.observe("t001", tt.end)
			w.step()
			w.now = w.now.Add(30 * time.Minute)
			if got := slices.ContainsFunc(w.step(), isCreate); got != tt.followed {
				t.Errorf("followed by another task: %t, want %t", got, tt.followed)
			}
			w.deploy("2", replicas(1), restart(tt.policy)) // a new generation runs in any case
			w.run()
			for task := range w.st.View().TasksOf(web) {
				if live(task) && task.Generation == 2 {
					return
				}
			}
			t.Error("the new generation has no task")
		})
	}
}

func TestFailingSuccessorIsTriedAgainAndHoldsUpTheUpdate(t *testing.T) {
	w := newWorld(t, "n1", "n2")
	w.judgeNothing()
	w.deploy("1", replicas(2))
	w.run()
	w.deploy("2", replicas(2))
	w.step()
	w.observe("t003", gaveUp)
	w.decides()
	w.now = w.wake
	w.decides("stop t003: another task follows", "create 1 t004 g2 for t001")
	w.observe("t004", running)
	w.decides("stop t001: replaced: updated to generation 2", "create 2 t005 g2 for t002")
}

func TestFailedTaskThatMustNotRestartHoldsUpTheUpdate(t *testing.T) {
	w := newWorld(t, "n1", "n2")
	w.judgeNothing()
	w.deploy("1", replicas(2), restart(cluster.RestartNever))
	w.run()
	w.deploy("2", replicas(2), restart(cluster.RestartNever))
	w.step()
	w.observe("t003", gaveUp)
	w.now = w.now.Add(time.Hour)
	w.decides()
	w.has("1 t001 g1 n1", "1 t003 g2 n1 failed", "2 t002 g1 n2")
}

func TestFailedTaskThatMustNotRestartHoldsUpNoDrain(t *testing.T) {
	w := newWorld(t, "n1", "n2")
	w.deploy("1", replicas(2), restart(cluster.RestartNever))
	w.run()
	w.observe("t001", gaveUp)
	w.decides()
	w.available("n2", cluster.Drained)
	w.decides("create 2 t003 g1 for t002")
	w.observe("t003", gaveUp) // the move fails, t002 still runs: it is tried again
	w.decides()
	w.now = w.wake
	w.decides("stop t003: another task follows", "create 2 t004 g1 for t002")
	w.observe("t004", running)
	w.decides("stop t002: replaced: node n2 is drained")
	w.has("1 t001 g1 n1 failed", "2 t004 g1 n1")
}

func TestHaltedUpdateHoldsUpNoDrain(t *testing.T) {
	for name, leaves := range map[string]struct {
		node string
		want []string
		then []string
	}{
		"its update failed": {
			"n1",
			[]string{"stop t003: another task follows", "create 1 t004 g2 for t001"},
			[]string{"stop t001: replaced: updated to generation 2", "create 2 t005 g2 for t002"}, // what halted the update is over
		},
		"it was not updated": {
			"n2",
			[]string{"create 2 t004 g2 for t002"},
			[]string{"stop t002: replaced: updated to generation 2"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "n1", "n2", "n3")
			w.judgeNothing()
			w.deploy("1", replicas(2), restart(cluster.RestartNever))
			w.run()
			w.deploy("2", replicas(2), restart(cluster.RestartNever))
			w.decides("create 1 t003 g2 for t001")
			w.observe("t003", gaveUp)
			w.now = w.now.Add(time.Hour)
			w.decides()
			w.available(leaves.node, cluster.Drained)
			w.decides(leaves.want...)
			w.observe("t004", running)
			w.decides(leaves.then...)
		})
	}
}

func TestCompletedSuccessorTakesOver(t *testing.T) {
	w := newWorld(t, "n1", "n2")
	w.deploy("1", replicas(2), restart(cluster.RestartOnFailure))
	w.run()
	w.deploy("2", replicas(2), restart(cluster.RestartOnFailure))
	w.step()
	w.observe("t003", done)
	w.decides("stop t001: replaced: updated to generation 2", "create 2 t004 g2 for t002")
	w.observe("t004", done)
	w.decides("stop t002: replaced: updated to generation 2")
	w.decides()
}

func TestOldFailuresAreForgotten(t *testing.T) {
	w := newWorld(t, "n1", "n2")
	w.deploy("1", replicas(1))
	w.step()
	w.observe("t001", gaveUp)
	w.step()
	w.now = w.wake
	w.run()
	w.now = w.now.Add(2 * time.Hour)
	w.observe("t002", gaveUp)
	w.decides()
	if got := w.wake.Sub(w.now); got != retryMin {
		t.Errorf("the next try is in %s, want %s", got, retryMin)
	}
}
