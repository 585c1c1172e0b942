package sim

import (
	"fmt"
	"slices"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
	"github.com/musterhq/muster/consensus/voters"
)

// Pace of the voters' loop, as controller/voters.go has it.
const (
	votersEvery = 500 * time.Millisecond
	votersPause = 3 * time.Second
)

// keepVoters makes one change of the voters at a time, as long as one is due.
func (t *term) keepVoters() {
	t.after(votersEvery, func() {
		r, now := t.a.w.raft, t.a.h.clock()
		v := r.view(t.a.h)
		in := voters.Input{Now: now, Leader: t.a.h.id}
		for _, h := range r.members() {
			if _, ok := v.Node(h.id); !ok {
				in.Members = append(in.Members, voters.Member{ID: h.id, Role: r.role(h), Gone: true})
			}
		}
		for n := range v.Nodes() {
			h := t.a.w.host(n.ID)
			if h == nil {
				continue
			}
			m := voters.Member{
				ID: n.ID, Zone: n.Labels["zone"], Condition: n.Condition, Since: n.ConditionSince,
				Availability: n.Availability, Joined: n.Joined, Role: r.role(h), Granted: n.Voter,
				Outdated: max(n.Commands, 1) < v.Level(),
			}
			if m.Role == voters.Nonvoter {
				if t.nonvoting[m.ID].IsZero() {
					t.nonvoting[m.ID] = now
				}
				m.RoleSince, m.CaughtUp = t.nonvoting[m.ID], h.replica.match >= r.commit
			} else {
				delete(t.nonvoting, m.ID)
			}
			in.Members = append(in.Members, m)
		}
		ch, why := voters.Plan(in)
		if ch.Op == voters.None {
			t.keepVoters()
			return
		}
		t.a.w.note("voters", string(ch.Op), string(ch.Node)+" "+why, r.term)
		t.change(ch, func(ok bool) {
			if ok {
				t.keepVoters()
				return
			}
			t.after(votersPause, t.keepVoters)
		})
	})
}

// change carries out one change, as agent.votersOf does.
func (t *term) change(ch voters.Change, done func(ok bool)) {
	r, h := t.a.w.raft, t.a.w.host(ch.Node)
	if !r.commits() {
		done(false)
		return
	}
	switch ch.Op {
	case voters.AddNonvoter:
		t.add(h, done)
	case voters.Promote:
		r.setRole(h, voters.Voter)
		done(true)
	case voters.Demote:
		r.setRole(h, voters.Nonvoter)
		done(true)
	case voters.Remove:
		t.remove(h, done)
	case voters.TransferLeadership:
		if h.replica.match < uint64(len(r.log)) || !r.w.reaches(t.a.h, h) {
			done(false)
			return
		}
		done(true)
		r.transfer(h)
	default:
		panic(fmt.Sprintf("the change %q of the voters is not known", ch.Op))
	}
}

// add grants the node its streams, has it open a log, and lets it receive
// entries.
func (t *term) add(h *host, done func(bool)) {
	t.grant(h, true, func(ok bool) {
		if !ok {
			done(false)
			return
		}
		t.tell(h, func() {
			if h.replica == nil {
				h.replica = &replica{}
				h.agent.voting()
			}
		}, func(ok bool) {
			if ok && t.a.w.raft.commits() && h.replica != nil {
				t.a.w.raft.setRole(h, voters.Nonvoter)
				done(true)
				return
			}
			done(false)
		})
	})
}

// remove takes the node out of the configuration before it withdraws its
// streams. A node that cannot be told finds out when it is back.
func (t *term) remove(h *host, done func(bool)) {
	r := t.a.w.raft
	r.setRole(h, voters.Outside)
	if _, member := r.view(t.a.h).Node(h.id); !member {
		done(true)
		return
	}
	t.grant(h, false, func(ok bool) {
		if ok {
			t.tell(h, func() { h.agent.demote() }, func(bool) {})
		}
		done(ok)
	})
}

func (t *term) grant(h *host, voter bool, done func(bool)) {
	c := state.Command{At: t.a.h.clock(), Body: state.SetVoter{Node: h.id, Voter: voter}}
	told := false
	once := func(ok bool) {
		if !told {
			told = true
			done(ok)
		}
	}
	t.after(callTimeout, func() { once(false) })
	t.a.w.raft.propose(t.a.h, c, func(res state.Result, err error) {
		t.after(0, func() { once(err == nil && res.Err == nil) })
	})
}

// tell has another node do something; done says whether it was heard that it
// did.
func (t *term) tell(h *host, do func(), done func(ok bool)) {
	told := false
	once := func(ok bool) {
		if !told {
			told = true
			done(ok)
		}
	}
	t.after(callTimeout, func() { once(false) })
	t.a.ask(h, func(_ *agent, answer func(func())) {
		do()
		answer(func() { t.after(0, func() { once(true) }) })
	})
}

// role is a host's part in the configuration.
func (r *raft) role(h *host) voters.Role {
	switch {
	case slices.Contains(r.voters, h):
		return voters.Voter
	case slices.Contains(r.nonvoters, h):
		return voters.Nonvoter
	}
	return voters.Outside
}

func (r *raft) setRole(h *host, role voters.Role) {
	not := func(o *host) bool { return o == h }
	r.voters, r.nonvoters = slices.DeleteFunc(r.voters, not), slices.DeleteFunc(r.nonvoters, not)
	switch role {
	case voters.Voter:
		r.voters = append(r.voters, h)
	case voters.Nonvoter:
		r.nonvoters = append(r.nonvoters, h)
	}
	r.sync(h)
	r.advance()
	r.connectivity()
}

// transfer hands leadership over at once.
func (r *raft) transfer(to *host) {
	r.depose("hands over")
	r.election.stop()
	r.electing = false
	r.lead(to)
}

// members are all who receive the log.
func (r *raft) members() []*host { return slices.Concat(r.voters, r.nonvoters) }

// voting and demote are a node opening its log and closing it for ever.
func (a *agent) voting() {
	a.w.note("host", string(a.h.id), "opens a log", 0)
	a.feed.leave()
}

func (a *agent) demote() {
	if a.h.replica != nil && a.w.raft.role(a.h) == voters.Outside {
		a.w.note("host", string(a.h.id), "closes its log", 0)
		a.h.replica = nil
		a.feed.choose(nil)
	}
}

// lostVote reports whether a newer state than its own says that this node is a
// voter no longer; see agent.lostVote.
func (f *feed) lostVote(v state.View) bool {
	h := f.a.h
	if f.from == h || h.replica == nil || !positionOf(f.a.w.raft.view(h)).before(positionOf(v)) {
		return false
	}
	n, ok := v.Node(h.id)
	return ok && !n.Voter
}

// spareFor finds a voter that is lost and a node that could have its seat.
func (r *raft) spareFor() (lost, spare cluster.NodeID, ok bool) {
	v := r.newest()
	for n := range v.Nodes() {
		h := r.w.host(n.ID)
		switch {
		case h == nil:
		case r.role(h) == voters.Voter && n.Condition == cluster.Down:
			lost = n.ID
		case r.role(h) == voters.Outside && n.Condition == cluster.Ready && n.Availability == cluster.Active && n.Commands >= v.Level():
			spare = n.ID
		}
	}
	return lost, spare, lost != "" && spare != ""
}

// votersAgree reports whether exactly the members of the configuration are
// granted raft streams.
func (r *raft) votersAgree() (cluster.NodeID, bool) {
	v := r.newest()
	for n := range v.Nodes() {
		if h := r.w.host(n.ID); n.Voter != (h != nil && r.role(h) != voters.Outside) {
			return n.ID, false
		}
	}
	for _, h := range r.members() {
		if _, ok := v.Node(h.id); !ok {
			return h.id, false
		}
	}
	return "", true
}
