package sim

import (
	"bytes"
	"fmt"
	"time"

	"github.com/musterhq/muster/cluster/state"
	"github.com/musterhq/muster/integration/invariants"
)

// connectivity looks at the leader after something changed between hosts: one
// that is dead leaves at once, one without a majority when its lease is over,
// and then somebody else is elected.
func (r *raft) connectivity() {
	r.w.watch.connectivity()
	switch {
	case r.leader == nil:
		r.elect()
	case r.leader.agent == nil:
		r.depose("died")
	case r.hasMajority(r.leader):
		r.lease.stop()
	default:
		deposed := r.leader
		r.lease.in(leaseTime, r.w.after, func() {
			if r.leader == deposed && !r.hasMajority(deposed) {
				r.depose("lost its majority")
			}
		})
	}
	if r.leader != nil {
		for _, v := range r.members() {
			r.sync(v)
			r.notice(v)
		}
	}
}

// depose ends a term. Whoever waits for an entry of it does not learn what
// becomes of it.
func (r *raft) depose(why string) {
	old := r.leader
	r.w.note("raft", string(old.id), why, r.term)
	r.leader = nil
	r.lease.stop()
	for i := r.commit; i < uint64(len(r.log)); i++ {
		if done := r.log[i].done; done != nil {
			r.log[i].done = nil
			old.after(0, func() { done(state.Result{}, errUnknown) })
		}
	}
	if old.agent != nil {
		old.agent.stopLeading()
	}
	r.elect()
}

// elect finds a leader in one to two seconds, or tries again as long as there
// is no majority.
func (r *raft) elect() {
	if r.electing {
		return
	}
	r.electing = true
	r.election.in(r.w.between(time.Second, 2*time.Second), r.w.after, func() {
		r.electing = false
		if r.leader != nil {
			return
		}
		if c := r.candidates(); len(c) > 0 {
			r.lead(pick(r.w, c))
			return
		}
		r.elect()
	})
}

// candidates are the voters that a majority would elect: none of those whom
// they reach has a longer log.
func (r *raft) candidates() []*host {
	var out []*host
	for _, v := range r.voters {
		if !v.awake() || v.replica.stuck {
			continue
		}
		votes := 0
		for _, o := range r.voters {
			if r.w.reaches(v, o) && !o.replica.stuck && o.replica.match <= v.replica.match {
				votes++
			}
		}
		if 2*votes > len(r.voters) {
			out = append(out, v)
		}
	}
	return out
}

func (r *raft) hasMajority(l *host) bool {
	if !l.awake() {
		return false
	}
	votes := 0
	for _, v := range r.voters {
		if r.w.reaches(l, v) && r.w.reaches(v, l) {
			votes++
		}
	}
	return 2*votes > len(r.voters)
}

// lead begins a term: what the new leader does not have is lost, what it has is
// committed with its first entry.
func (r *raft) lead(h *host) {
	if h.replica.match < r.commit {
		panic("the model elected a leader without all that is committed")
	}
	r.term++
	r.leader = h
	r.w.note("raft", string(h.id), "leads", r.term)
	r.log = r.log[:h.replica.match]
	for _, v := range r.members() {
		v.replica.match, v.replica.synced = min(v.replica.match, h.replica.match), min(v.replica.synced, h.replica.match)
	}
	r.append(entry{})
	h.agent.lead()
	for _, o := range r.w.hosts {
		if o.agent != nil {
			o.agent.hearOfLeader()
		}
	}
	r.connectivity()
}

// restart is what a voter's process does when it starts: it goes back to its
// last snapshot and applies from there.
func (r *raft) restart(h *host) {
	c := h.replica
	if c == nil {
		return
	}
	c.applied = uint64(r.w.rand.Int64N(int64(c.applied) + 1))
	for c.applied < uint64(len(r.views))-1 && r.views[c.applied].Epoch() == 0 {
		c.applied++
	}
	c.own = nil
	if r.checked {
		c.own = r.restore(h, r.views[c.applied])
	}
}

// restore passes a state through a snapshot.
func (r *raft) restore(h *host, v state.View) *state.State {
	var file bytes.Buffer
	if err := v.WriteSnapshot(&file); err != nil {
		panic(err)
	}
	st, err := state.ReadSnapshot(&file)
	if err != nil {
		panic(err)
	}
	if want, got := v.Hash(), st.View().Hash(); want != got {
		r.w.fail(invariants.Violation{
			Rule:   invariants.HashDiffers,
			Detail: fmt.Sprintf("node %s has %x after the snapshot of index %d, others have %x", h.id, got, v.Index(), want),
		})
	}
	return st
}
