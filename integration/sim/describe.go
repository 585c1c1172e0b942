package sim

import (
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/musterhq/muster/cluster/state"
)

// describe is a decision in one line.
func describe(r state.Reconcile) string {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	for _, c := range r.Conditions {
		add("%s is %s", c.Node, c.Condition)
	}
	for _, s := range r.Stop {
		add("stop %s (%s)", s.Task, s.Reason)
	}
	for _, t := range r.Create {
		add("create %s of %s/%d g%d on %q for %q", t.ID, t.Service, t.Slot, t.Generation, t.Node, t.Replaces)
	}
	for _, a := range r.Assign {
		add("assign %s to %s", a.Task, a.Node)
	}
	for _, e := range r.Explain {
		add("explain %s (%s)", e.Task, e.Reason)
	}
	for _, s := range r.SetAside {
		add("set aside %s (%s)", s.Service, s.Reason)
	}
	for _, f := range r.Forget {
		add("forget %s", f)
	}
	return strings.Join(parts, "; ")
}

// dump is what the cluster says of itself, for a failure.
func (w *World) dump() []string {
	var out []string
	v := w.raft.newest()
	for n := range v.Nodes() {
		h := w.host(n.ID)
		out = append(out, fmt.Sprintf("node %s %s %s %s %v holds %v of %v, awake %v, up %v", n.ID, n.Condition, n.Availability,
			n.EngineError, n.Labels, v.Allocated(n.ID).Resources, n.Capacity, h != nil && h.awake(), h != nil && h.power))
	}
	for s := range v.Services() {
		t := &s.Spec.Template
		out = append(out, fmt.Sprintf("service %s g%d %s %d, %s, %v %v ports %v restart %+v update %+v max %d, removing %v", s.ID, s.Generation, s.Spec.Mode, s.Spec.Replicas,
			t.Container.Image.Ref, t.Reservations, t.Constraints, t.Ports, t.Restart, s.Spec.Update, t.MaxPerNode, s.Removing))
		for _, g := range s.History {
			out = append(out, fmt.Sprintf("  was g%d %s, restart %+v, %s", g.Number, g.Template.Container.Image.Ref, g.Template.Restart, g.Release.Outcome))
		}
		for t := range v.TasksOf(s.ID) {
			out = append(out, fmt.Sprintf("  %d %s g%d on %q pinned %q for %q: %s, %s %s final %v %q (%s)", t.Slot, t.ID, t.Generation, t.Node, t.Pinned, t.Replaces,
				t.Desired, t.Observed.Phase, t.Observed.Health, t.Observed.Final, t.Observed.Error, t.Reason))
		}
	}
	return out
}

func stack() string { return string(debug.Stack()) }
