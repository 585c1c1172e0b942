package sim

import (
	"errors"
	"fmt"

	"github.com/musterhq/muster/cluster/state"
	"github.com/musterhq/muster/integration/invariants"
)

// errOutdated refuses a command that some voter does not know.
var errOutdated = errors.New("a voter does not know the command")

// gate keeps commands that some voter does not know out of the log, as
// consensus.Store.admit does: what makes the oldest voter an older one goes
// alone, and newer commands wait for it.
type gate struct{ newer, aging int }

// admit proposes now, again later, or not at all.
func (r *raft) admit(at *host, c state.Command, done func(state.Result, error), again func(), propose func(func(state.Result, error))) {
	g, v := &r.gate, r.view(at)
	aging := agesVoters(v, c.Body)
	needs := max(c.Version, state.Needs(c.Body))
	var count *int
	switch {
	case !r.w.mixed, !aging && needs <= 1:
		propose(done)
		return
	case aging && g.newer+g.aging > 0, !aging && (g.aging > 0 || !at.agent.caught()):
		at.after(r.w.between(0, retrySync), again)
		return
	case aging:
		count = &g.aging
	default:
		if knows, oldest := v.Commands(); oldest != nil && needs > knows {
			at.after(0, func() { done(state.Result{}, errOutdated) })
			return
		}
		count = &g.newer
	}
	*count++
	held := true
	release := func() {
		if held {
			held = false
			*count--
		}
	}
	r.w.after(proposeTimeout, release)
	propose(func(res state.Result, err error) {
		release()
		done(res, err)
	})
}

// agesVoters is consensus.agesVoters.
func agesVoters(v state.View, b state.Body) bool {
	switch c := b.(type) {
	case state.SetVoter:
		return c.Voter
	case state.UpdateNode:
		n, ok := v.Node(c.ID)
		return ok && c.Commands < n.Commands
	}
	return false
}

// known checks that everybody who receives the log knows what is in it, but for
// nodes that were removed: they may stop at it.
func (r *raft) known(before state.View, index uint64, c state.Command) {
	needs := max(c.Version, state.Needs(c.Body))
	for _, h := range r.members() {
		if _, member := before.Node(h.id); member && h.commands < needs {
			r.w.fail(invariants.Violation{
				Rule:   invariants.UnknownCommand,
				Detail: fmt.Sprintf("entry %d (%T) needs version %d, node %s knows %d", index, c.Body, needs, h.id, h.commands),
			})
		}
	}
}
