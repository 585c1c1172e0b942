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

func stack() string { return string(debug.Stack()) }
