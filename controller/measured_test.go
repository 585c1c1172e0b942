package controller

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// A node's word is taken for its own tasks only.
func TestMeasurementsAreOfANodesOwnTasks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLeader(t, running(t))
		l.lead()
		synctest.Wait()
		use := api.TasksUse{Host: api.Usage{MilliCPU: 1000}}
		var own, foreign *cluster.Task
		for _, task := range l.store.w.wanted(web) {
			if task.Node == "b" {
				own = task
			} else {
				foreign = task
			}
			use.Tasks = append(use.Tasks, api.TaskUse{Task: task.ID, Usage: api.Usage{MilliCPU: 100}})
		}
		l.Heartbeat(api.Heartbeat{Node: "b", Tasks: &use})
		l.mu.Lock()
		defer l.mu.Unlock()
		if got := l.book.Demand(slotOf(own)).MilliCPU; got != 100 {
			t.Errorf("the node's own task needs %d thousandths, want 100", got)
		}
		if got := l.book.Demand(slotOf(foreign)).MilliCPU; got != 0 {
			t.Errorf("a task of node %s needs %d thousandths by node b's word", foreign.Node, got)
		}
		if got, ok := l.book.Other("b", time.Now()); !ok || got.MilliCPU != 800 {
			t.Errorf("the host's other load is %d thousandths (known %t), want 800: two tasks of 100 are ours", got.MilliCPU, ok)
		}
	})
}

func TestHistoriesGoWithWhatTheyAreOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLeader(t, running(t))
		l.lead()
		synctest.Wait()
		task := l.store.w.wanted(web)[0]
		l.Heartbeat(api.Heartbeat{Node: task.Node, Tasks: &api.TasksUse{
			Host:  api.Usage{MilliCPU: 1000},
			Tasks: []api.TaskUse{{Task: task.ID, Usage: api.Usage{MilliCPU: 100}}},
		}})
		l.store.commit(state.RemoveStack{Stack: "s"})
		pass(time.Second)
		for t := range l.store.View().Tasks() {
			ended := cluster.Observed{Phase: cluster.PhaseExited, Final: true}
			l.store.commit(state.Observe{Node: t.Node, Tasks: []state.TaskObserved{{Task: t.ID, Observed: ended}}})
		}
		pass(time.Second)
		if _, there := l.store.View().Service(web); there {
			t.Fatal("the service is still there")
		}
		l.mu.Lock()
		if got := l.book.Demand(slotOf(task)).MilliCPU; got != 100 {
			t.Errorf("before anybody looks the history says %d, want 100", got)
		}
		l.mu.Unlock()
		pass(2 * retainEvery)
		l.mu.Lock()
		left := l.book.Demand(slotOf(task)).MilliCPU
		l.mu.Unlock()
		if left != 0 {
			t.Errorf("the removed service's history is still there: %d", left)
		}
		l.stop()
	})
}
