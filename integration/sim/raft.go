package sim

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
	"github.com/musterhq/muster/consensus/voters"
	"github.com/musterhq/muster/integration/invariants"
)

// raft is a model of the replicated log: one leader at a time, a log whose
// entries are committed once a majority of the voters holds them, and a new
// leader that has all that was committed and possibly more.
//
// Applying is deterministic, so the state at each index is computed once; some
// replicas also apply by themselves, from decoded bytes and through snapshots,
// and must come to the same hash.
type raft struct {
	w         *World
	term      uint64
	leader    *host // nil: none
	voters    []*host
	nonvoters []*host
	log       []entry // index 1 is log[0]
	commit    uint64
	state     *state.State
	views     []state.View // by index; views[0] is before Init
	changes   [][]state.Change
	touched   map[cluster.NodeID]uint64 // newest index that concerns a node; looked up only
	commands  int
	checked   bool // replicas also apply for themselves
	gate      gate
	next      func() // happens at the instant of the next commit, unless nil

	election, lease alarm
	electing        bool
}

// entry is one line of the log; without data it only marks a place.
type entry struct {
	data  []byte
	term  uint64
	basis state.View                // what its proposer knew when it decided
	done  func(state.Result, error) // the proposer's, on the leader; nil once told
}

// replica is a voter's copy of the log.
type replica struct {
	match   uint64 // entries on its disk
	applied uint64
	own     *state.State // applies for itself; nil: shares the model's
	synced  uint64       // entries on its disk for certain; see powerOff
	syncing bool
	stuck   bool // its disk takes nothing
	hanging bool // and something waits for it
	spread  alarm
}

// Errors of a proposal, in the sense of consensus.Propose.
var (
	errNotLeader = errors.New("this node does not lead")
	errUnknown   = errors.New("the outcome is unknown")
)

// Paces, as consensus.TuningFor(0) has them.
const (
	leaseTime    = time.Second
	commitNotice = 30 * time.Millisecond
	retrySync    = 100 * time.Millisecond
)

// found makes the log with the cluster and its nodes in it.
func (r *raft) found() {
	r.state, r.touched = state.New(), map[cluster.NodeID]uint64{}
	r.views, r.changes = []state.View{r.state.View()}, [][]state.Change{nil}
	founders := len(r.w.hosts)
	if founders > 3 && r.w.chance(0.3) {
		founders -= 1 + r.w.rand.IntN(2) // the others join later
	}
	for _, h := range r.w.hosts[:founders] {
		h.member = true
	}
	for _, h := range r.w.hosts[:voters.Target(founders)] {
		h.replica = &replica{}
		r.voters = append(r.voters, h)
	}
	for _, c := range r.firstCommands(founders) {
		data, err := state.Encode(c)
		if err != nil {
			panic(err)
		}
		r.log = append(r.log, entry{data: data})
	}
	for _, h := range r.voters {
		h.replica.match, h.replica.synced = uint64(len(r.log)), uint64(len(r.log))
	}
	r.commitTo(uint64(len(r.log)))
}

func (r *raft) firstCommands(founders int) []state.Command {
	at := r.w.clock()
	out := []state.Command{
		{At: at, Body: state.Init{Identity: cluster.Identity{ID: "C", Epoch: 1}, Node: r.w.hosts[0].node()}},
		{At: at, Body: state.PutToken{Token: cluster.Token{ID: joinToken, SecretHash: "h", Uses: 1000, Expires: at.Add(24 * time.Hour)}}},
	}
	for _, h := range r.w.hosts[1:founders] {
		out = append(out, state.Command{At: at, Body: state.JoinNode{Token: joinToken, Node: h.node()}})
	}
	for _, h := range r.voters {
		out = append(out, state.Command{At: at, Body: state.SetVoter{Node: h.id, Voter: true}})
	}
	return out
}

const joinToken = "t"

// propose appends a command on the leader; done is called there with what
// applying it gave. An error leaves open whether it will be applied.
func (r *raft) propose(at *host, c state.Command, done func(state.Result, error)) {
	r.decided(at, nil, c, done)
}

// decided proposes what was decided on a state, nil for the newest that the
// leader knows.
func (r *raft) decided(at *host, basis *state.View, c state.Command, done func(state.Result, error)) {
	if r.leader != at {
		at.after(0, func() { done(state.Result{}, errNotLeader) })
		return
	}
	if basis == nil {
		v := r.view(at)
		basis = &v
	}
	data, err := state.Encode(c)
	if err != nil {
		panic(err)
	}
	again := func() { r.decided(at, basis, c, done) }
	r.admit(at, c, done, again, func(done func(state.Result, error)) {
		r.append(entry{data: data, basis: *basis, done: done})
	})
}

func (r *raft) append(e entry) {
	e.term = r.term
	r.log = append(r.log, e)
	for _, v := range r.members() {
		r.sync(v)
	}
}

// barrier calls done on the leader once its view holds all that was committed
// before.
func (r *raft) barrier(at *host, done func(error)) {
	if r.leader != at {
		at.after(0, func() { done(errNotLeader) })
		return
	}
	r.append(entry{done: func(_ state.Result, err error) { done(err) }})
}

// sync brings the log to a voter's disk, in one go with what comes meanwhile.
func (r *raft) sync(v *host) {
	c := v.replica
	if c == nil || c.syncing || c.match >= uint64(len(r.log)) {
		return
	}
	c.syncing = true
	wait := r.w.between(time.Millisecond, 6*time.Millisecond) // fsync and the way
	if r.w.chance(0.01) && !r.w.quiet {
		wait = r.w.between(20*time.Millisecond, 400*time.Millisecond)
	}
	r.w.after(wait, func() {
		c.syncing = false
		if v.replica != c || r.leader == nil || r.role(v) == voters.Outside {
			return
		}
		if c.stuck {
			c.hangs(v)
		}
		if c.stuck || !r.w.reaches(r.leader, v) || !v.awake() {
			r.w.after(retrySync, func() { r.sync(v) })
			return
		}
		c.match = uint64(len(r.log))
		c.synced = c.match
		r.advance()
		r.notice(v)
	})
}

// advance commits what a majority holds.
func (r *raft) advance() {
	matches := make([]uint64, 0, len(r.voters))
	for _, v := range r.voters {
		matches = append(matches, v.replica.match)
	}
	slices.Sort(matches)
	index := matches[(len(matches)-1)/2]
	if r.leader != nil {
		index = min(index, r.leader.replica.match) // it writes before it sends
	}
	// Entries of earlier terms are committed with one of the leader's own.
	if index > r.commit && r.log[index-1].term == r.term {
		r.commitTo(index)
	}
}

func (r *raft) commitTo(index uint64) {
	for r.commit < index && r.w.failure == nil {
		r.apply(r.commit + 1)
	}
	for _, v := range r.members() {
		r.notice(v)
	}
	if do := r.next; do != nil {
		r.next = nil
		r.w.after(0, do)
	}
}

// apply applies one entry and tells the proposer, if that is still the leader.
func (r *raft) apply(index uint64) {
	e := &r.log[index-1]
	before := r.state.View()
	var res state.Result
	if e.data != nil {
		c, err := state.Decode(e.data)
		if err != nil {
			panic(err)
		}
		r.known(before, index, c)
		res = r.state.Apply(index, c)
		r.commands++
		r.w.watch.request(before, r.state.View(), c.Request)
		r.w.note("commit", fmt.Sprintf("%d %T", index, c.Body), "", r.state.View().Hash())
	}
	r.commit = index
	r.views = append(r.views, r.state.View())
	r.changes = append(r.changes, res.Changes)
	r.touch(index, res.Changes)
	if r.leader != nil {
		r.applyOwn(r.leader, index)
	}
	r.w.watch.committed(before, r.state.View(), e.basis, res.Changes)
	r.tell(e, res)
}

// touch remembers which nodes' assignments an entry may have changed.
func (r *raft) touch(index uint64, changes []state.Change) {
	for _, c := range changes {
		switch {
		case c.Topic == state.TopicService, c.Topic == state.TopicNetwork:
			for _, h := range r.w.hosts {
				r.touched[h.id] = index
			}
		case c.Topic == state.TopicTask && c.Node != "":
			r.touched[c.Node] = index
		}
	}
}

func (r *raft) tell(e *entry, res state.Result) {
	done := e.done
	if e.done = nil; done == nil {
		return
	}
	if e.data != nil && !r.w.quiet && r.w.chance(0.01) {
		r.leader.after(0, func() { done(state.Result{}, errUnknown) })
		return
	}
	r.leader.after(0, func() { done(res, nil) })
}

// notice tells a voter, after a while, what is committed; the leader knows.
func (r *raft) notice(v *host) {
	c := v.replica
	if v == r.leader || c == nil || c.applied >= min(c.match, r.commit) {
		return
	}
	wait := r.w.between(time.Millisecond, commitNotice)
	if !r.w.quiet && r.w.chance(0.01) {
		wait = r.w.between(commitNotice, 600*time.Millisecond)
	}
	c.spread.in(wait, r.w.after, func() {
		if v.replica != c || r.leader == nil || c.stuck || !r.w.reaches(r.leader, v) || r.role(v) == voters.Outside {
			return // the next entry or the next leader tells it
		}
		r.applyOwn(v, min(c.match, r.commit))
	})
}

// applyOwn moves a voter's state on and wakes who follows it.
func (r *raft) applyOwn(v *host, index uint64) {
	c := v.replica
	for c.applied < index {
		c.applied++
		if data := r.log[c.applied-1].data; c.own != nil && data != nil {
			r.applyAlone(v, c, data)
		}
	}
	if v.agent != nil {
		v.agent.advanced()
	}
}

// applyAlone applies an entry to the replica's own state and compares.
func (r *raft) applyAlone(v *host, c *replica, data []byte) {
	cmd, err := state.Decode(data)
	if err != nil {
		panic(err)
	}
	c.own.Apply(c.applied, cmd)
	if want, got := r.views[c.applied].Hash(), c.own.View().Hash(); want != got {
		r.w.fail(invariants.Violation{
			Rule:   invariants.HashDiffers,
			Detail: fmt.Sprintf("node %s has %x at index %d (%T), others have %x", v.id, got, c.applied, cmd.Body, want),
		})
	}
}

// view is the state that a voter has applied.
func (r *raft) view(v *host) state.View { return r.views[v.replica.applied] }

// newest is the state with everything that is committed.
func (r *raft) newest() state.View { return r.views[r.commit] }
