package rollout

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/musterhq/muster/cluster"
)

// TestRolloutStaysWithinItsBounds updates a healthy service through generations
// of which some fail, on nodes that are well, and counts after every step.
func TestRolloutStaysWithinItsBounds(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 8).Draw(rt, "replicas")
		update := drawnUpdate(rt, "update")
		back := drawnUpdate(rt, "rollback")
		spec := func(s *cluster.ServiceSpec) { s.Replicas, s.Update, s.Rollback = n, update, &back }
		w := newWorld(rt, "n1", "n2", "n3")
		w.deploy("1", spec)
		w.prove()
		fails := map[uint64]map[int]bool{}
		for g := range rapid.IntRange(1, 3).Draw(rt, "updates") {
			w.deploy(string(rune('a'+g)), spec)
			fails[w.service().Generation] = failing(rt, n)
			w.rollsOut(rt, n, fails)
		}
	})
}

func drawnUpdate(rt *rapid.T, name string) cluster.Update {
	return rapid.Custom(func(rt *rapid.T) cluster.Update {
		return cluster.Update{
			Parallelism: rapid.IntRange(0, 4).Draw(rt, "parallelism"),
			Delay:       rapid.SampledFrom([]time.Duration{0, 3 * time.Second}).Draw(rt, "delay"),
			Order:       rapid.SampledFrom([]cluster.Order{cluster.StartFirst, cluster.StopFirst}).Draw(rt, "order"),
			Monitor:     rapid.SampledFrom([]time.Duration{0, 8 * time.Second}).Draw(rt, "monitor"),
			FailureAction: rapid.SampledFrom([]cluster.FailureAction{"", cluster.ActionPause, cluster.ActionContinue}).
				Draw(rt, "action"),
			MaxFailureRatio: rapid.SampledFrom([]float64{0, 0, 0.25, 0.5}).Draw(rt, "ratio"),
		}
	}).Draw(rt, name)
}

// failing are the slots in which a generation does not work.
func failing(rt *rapid.T, n int) map[int]bool {
	out := map[int]bool{}
	for slot := range n {
		if rapid.IntRange(0, 4).Draw(rt, "fails") == 0 {
			out[slot+1] = true
		}
	}
	return out
}

// rollsOut runs an update to its end.
func (w *world) rollsOut(rt *rapid.T, n int, fails map[uint64]map[int]bool) {
	for round := range 400 {
		lines := w.step()
		w.inBounds(rt, n)
		hash := w.st.View().Hash()
		for t := range w.st.View().TasksOf(web) {
			switch {
			case t.Ended() || t.Node == "" || rapid.IntRange(0, 9).Draw(rt, "silent") == 0:
			case t.Desired == cluster.Stopped:
				w.observe(t.ID, exited)
			case fails[t.Generation][t.Slot]:
				w.observe(t.ID, backoff)
			default:
				w.observe(t.ID, running)
			}
		}
		switch {
		case len(lines) > 0 || hash != w.st.View().Hash():
		case w.wake.IsZero() && round > 20:
			return
		case !w.wake.IsZero():
			w.now = w.wake
		}
	}
	rt.Fatalf("the rollout does not end: %+v", w.service())
}

// inBounds counts: of n slots, at least those serve that the update may not have
// in its hands, and at most that many tasks are there besides.
func (w *world) inBounds(rt *rapid.T, n int) {
	s := w.service()
	p := newPass(w.st.View(), w.now, nil, Options{})
	broken, serving, tasks := map[int]bool{}, map[int]bool{}, 0
	for t := range w.st.View().TasksOf(web) {
		overdue := t.ReadyAt.IsZero() && !t.Created.Add(s.Policy().Deadline()).After(w.now)
		if !t.FailedAt.IsZero() || overdue {
			broken[t.Slot] = true
		}
		if live(t) {
			tasks++
		}
		if live(t) && p.ready(t) {
			serving[t.Slot] = true
		}
	}
	hands := max(s.Spec.Update.Parallelism, s.Spec.Rollback.Parallelism, 1)
	if low := n - hands - len(broken); len(serving) < low {
		rt.Fatalf("%d of %d slots serve, at least %d have to: parallelism %d, slots that failed %v", len(serving), n, low, hands, broken)
	}
	if high := n + hands + len(broken); tasks > high {
		rt.Fatalf("%d tasks are wanted, at most %d may be", tasks, high)
	}
	if s.Spec.Update.Order == cluster.StartFirst && s.Spec.Rollback.Order == cluster.StartFirst && len(broken) == 0 && len(serving) < n {
		rt.Fatalf("%d of %d slots serve, and every update starts first", len(serving), n)
	}
}
