package main

import "slices"

// mutant is one check that is taken out.
type mutant struct {
	removed string // what the code does not do any more
	file    string // below the module's root
	old     string // is there exactly once
	now     string
	catch   catcher
	listed  bool // is tried whenever everything is tested
}

// catcher says who has to notice: tests of a package, or the simulator.
type catcher struct {
	pkg   string // "" means the simulator
	run   string // -run
	seeds int    // of the simulator
}

func test(pkg, run string) catcher { return catcher{pkg: pkg, run: run} }

func sim(seeds int) catcher { return catcher{seeds: seeds} }

// mutants are all of them, the model of raft first.
var mutants = slices.Concat(
	logMutants, voterMutants, stateMutants, deathMutants, placementMutants, hostMutants, accessMutants,
)

// The log. These checks are raft's own; see doc.go.
var logMutants = []mutant{
	{
		"the lease: a leader without a majority leads on",
		"integration/sim/election.go", "if r.leader == deposed && !r.hasMajority(deposed) {", "if r.leader == deposed && false {", test("./integration/sim", "TestLeaderWithoutAMajority"), true,
	},
	{
		"the majority: an entry is committed with the leader's copy alone",
		"integration/sim/raft.go", "index := matches[(len(matches)-1)/2]", "index := matches[len(matches)-1]", sim(40), true,
	},
	{
		"the order of fsync and answer: an entry counts before it is on disk",
		"integration/sim/raft.go", "wait := r.w.between(time.Millisecond, 6*time.Millisecond) // fsync and the way",
		"c.match = uint64(len(r.log)); wait := r.w.between(time.Millisecond, 6*time.Millisecond)", sim(40), true,
	},
	{
		"the election: a voter with a shorter log is elected",
		"integration/sim/election.go", "&& o.replica.match <= v.replica.match {", "{", sim(40), false,
	},
	{
		"the deadline of the log's disk", "consensus/guard.go",
		"return g.poison(&hungError{op: op, after: g.deadline})", "return <-done", test("./consensus", "TestGuardToleratesAPause"), false,
	},
	{
		"the end of a store that timed out", "consensus/guard.go",
		"\t\tg.err = err\n", "", test("./consensus", "TestGuardToleratesAPause"), false,
	},
	{
		"the news of a commit to the followers", "consensus/herald.go",
		"if p.busy || news <= p.told {", "if p.busy || news > 0 {", test("./consensus", "TestFollowersLearn"), false,
	},
	{
		"the news of a commit to the follower that committed it", "consensus/store.go",
		"s.fsm.applied = s.trans.herald.news", "_ = s.trans.herald.news", test("./consensus", "TestFollowersLearn"), false,
	},
	{
		"the end of an FSM that could not apply an entry", "consensus/fsm.go",
		"if f.stopped != nil {\n\t\treturn state.Result{}, f.stopped\n\t}\n\tdefer", "defer", test("./consensus", "TestUnknownCommandStopsTheNode"), false,
	},
}

// Voters.
var voterMutants = []mutant{
	{
		"the quorum before a change of voters", "consensus/voters/plan.go",
		"if 2*s.live() <= len(s.voters) {", "if false {", test("./consensus/voters", ""), false,
	},
	{
		"the quorum after a voter goes", "consensus/voters/step.go",
		"if 2*s.count(rest) <= len(rest) {", "if len(rest) < 0 {", test("./consensus/voters", ""), false,
	},
	{
		"the log of who is promoted", "consensus/voters/step.go",
		"if m.Role == Nonvoter && m.CaughtUp {", "if m.Role == Nonvoter {", test("./consensus/voters", ""), false,
	},

	{
		"the release of who takes a seat", "consensus/voters/seats.go",
		"!m.Gone && !m.Outdated && ", "!m.Gone && ", test("./consensus/voters", "TestPlan"), false,
	},
}

// The state machine.
var stateMutants = []mutant{
	{
		"the memory of requests: one that is sent again takes effect again", "cluster/state/state.go",
		"if r, ok := tx.requests.get(id); ok {", "if r, ok := tx.requests.get(id); ok && false {", sim(40), true,
	},
	{
		"the age of requests: one whose answer is forgotten is taken for new", "cluster/state/state.go",
		"if ulid.Time(u.Time()).Before(tx.now.Add(-KeepRequests)) {", "if u.Time() == 0 {", test("./cluster/state", "TestRequest"), false,
	},
	{
		"the room, when a placement is applied", "cluster/state/apply_reconcile.go",
		"!t.Resources.Fits(free) {", "!t.Resources.Fits(free) && false {", test("./cluster/state", "TestReconcile"), false,
	},
	{
		"the host ports, when a placement is applied", "cluster/state/apply_reconcile.go",
		"clash && o.Holds() {", "clash && false {", test("./cluster/state", "TestHostPort"), false,
	},
	{
		"the node's condition, when a placement is applied", "cluster/state/apply_reconcile.go",
		"if why := n.Unschedulable(); why != \"\" {", "if why := n.Unschedulable(); why == \"-\" {", test("./cluster/state", "TestReconcile"), false,
	},
	{
		"the holder of the slot, when a task is created", "cluster/state/apply_reconcile.go",
		"if o.ID != t.Replaces && o.Desired == cluster.Running && !o.Ended() {", "if false {", test("./cluster/state", "TestReconcile"), false,
	},
	{
		"the service that a stop was decided for: it has changed since", "cluster/state/apply_reconcile.go",
		"!c.Seen.IsZero() && !s.Updated.Equal(c.Seen) {", "s == nil {", test("./cluster/state", "TestStop"), false,
	},
	{
		"the news that cross a stop: the task has become ready", "cluster/state/apply_reconcile.go",
		"if c.Idle && t.Ready() {", "if false {", test("./cluster/state", "TestStop"), false,
	},
	{
		"the news that cross a stop: the successor has failed", "cluster/state/apply_reconcile.go",
		"(!ok || !by.Ready())", "(!ok || by == nil)", test("./cluster/state", "TestStop"), false,
	},
	{
		"the drain that was lifted while a stop was on its way", "cluster/state/apply_reconcile.go",
		"c.Drained && n.Availability != cluster.Drained {", "false {", test("./cluster/rollout", "TestDrain"), false,
	},
	{
		"the seats of tasks that stay although the decision stops them", "cluster/state/apply_reconcile.go",
		"if o.Service == t.Service && o.Node == id {", "if false {", test("./cluster/state", "TestPlace"), false,
	},
	{
		"the end of a task: a late report takes it back", "cluster/state/apply_observe.go",
		"|| old.Ended() ", "", test("./cluster/state", "TestEndedTasks"), false,
	},
	{
		"whose task it is that a node reports", "cluster/state/apply_observe.go",
		"|| old.Node != c.Node ", "", test("./cluster/state", "TestObservationOfAnotherNodesTask"), false,
	},
	{
		"the checksum of snapshots", "cluster/state/snapshot.go",
		"if binary.BigEndian.Uint32(sum) != want {", "if len(sum) == 0 && want == 0 {", test("./cluster/state", "TestSnapshotRefusesDamage"), false,
	},
	{
		"the direction of command time", "cluster/state/tx.go",
		"if at.Before(v.now) {", "if false {", test("./cluster/state", "TestCommandTime"), false,
	},
}

// Who is dead.
var deathMutants = []mutant{
	{
		"the dial: silence of an agent is the death of its host", "cluster/health/round.go",
		"case o.Lives():\n\t\tr.alive = true\n", "case o.Lives():\n\t\tr.silent = append(r.silent, by)\n", test("./cluster/health", ""), false,
	},
	{
		"the leader's own dial", "cluster/health/round.go",
		"if !slices.Contains(r.silent, t.self) {", "if len(r.silent) == 0 {", test("./cluster/health", "TestWithoutTheLeadersOwnDialNothingIsDown"), false,
	},
	{
		"the patience when more than half of the nodes are silent", "cluster/health/step.go",
		"return 2*missing > base", "return false", test("./cluster/health", "TestMass"), false,
	},
	{
		"the quarantine of nodes that flap", "cluster/health/flap.go",
		"f.until = now.Add(f.last)", "f.until = now", test("./cluster/health", "TestFlapping"), false,
	},
}

// What should exist, and where.
var placementMutants = []mutant{
	{
		"the handover: a holder stops before its successor is ready", "cluster/rollout/seat.go",
		"if w.ready(s.successor) && (", "if (", test("./cluster/rollout", "TestUpdate"), false,
	},
	{
		"that a handover rests on the successor", "cluster/rollout/seat.go",
		"w.whyStopped(s.holder)).For = s.successor.ID", "w.whyStopped(s.holder))", test("./cluster/rollout", "TestUpdate"), false,
	},
	{
		"that what does not work is stopped for that", "cluster/rollout/service.go",
		"w.stop(t, reason).Idle = !t.Ready()", "w.stop(t, reason)", test("./cluster/rollout", "TestUpdate"), false,
	},
	{
		"the successor of a lost task", "cluster/rollout/seat.go",
		"w.count(w.create(s, s.holder.ID))\n\t}\n}\n\n// queueMove", "}\n}\n\n// queueMove", test("./cluster/rollout", "TestLost|TestReplacement"), false,
	},
	{
		"the update's parallelism", "cluster/rollout/service.go",
		"if busy >= max(w.policy.Parallelism, 1) || ", "if ", test("./cluster/rollout", "TestUpdate"), false,
	},
	{
		"the size of a canary, when a node that had a part of it comes back", "cluster/rollout/service.go",
		" && !w.svc.OnTrial()) {", ") {", test("./cluster/rollout", "TestCanary"), false,
	},
	{
		"that a task is followed as its own generation says", "cluster/rollout/retry.go",
		"w.svc.Template(t.Generation)\n", "w.svc.Template(w.svc.Generation)\n", test("./cluster/rollout", "TestCanary"), false,
	},
	{
		"the limit of replacements a second", "cluster/rollout/step.go",
		"if p.opts.LossRate > 0 && p.losses >= p.opts.LossRate {", "if false {", test("./cluster/rollout", "TestLossRate"), false,
	},
	{
		"the room, when a place is chosen", "placement/filter.go",
		"if j.demand.fits(&p.free[n]) {", "if true {", test("./placement", "TestReasons|TestPlansHold"), false,
	},
	{
		"the constraints, when a place is chosen", "placement/column.go",
		"ok[id] = matches(value)", "ok[id] = matches(value) || true", sim(40), false,
	},
	{
		"the taints, when a place is chosen", "placement/filter.go",
		"set.drop(n)", "_ = n", test("./placement", "TestTaints|TestPartitions|TestPlansHold"), false,
	},
	{
		"services that are to be apart, when a place is chosen", "placement/filter.go",
		"if p.wantedOf(other)[n] > 0 {", "if false {", test("./placement", "TestServices|TestPlansHold"), false,
	},
	{
		"memory that is really free, when a place is chosen", "placement/snapshot.go",
		"*free -= out.inUse[i]", "_ = free", test("./placement", "TestMemoryIs|TestCPUMay"), false,
	},
	{
		"the quarantine, when a place is chosen", "placement/snapshot.go",
		"if blocked == \"\" && quarantined[n.ID] {", "if blocked == \"\" && quarantined[\"-\"] {", test("./placement", "TestQuarantine"), false,
	},
}

// The hosts.
var hostMutants = []mutant{
	{
		"the restarts that the next agent has to know of", "agent/worker/loop.go",
		"n += o.Observed.Restarts", "n += 0 * o.Observed.Restarts", test("./agent/worker", "TestRestartsAreCountedAcrossAgents"), false,
	},
	{
		"the epoch of assignments: those of an older history are taken", "agent/worker/set.go",
		"cmp.Or(cmp.Compare(s.Epoch, than.Epoch), cmp.Compare(s.Index, than.Index)) > 0", "cmp.Compare(s.Index, than.Index) > 0", test("./agent/worker", "TestSetNewer"), true,
	},
	{
		"the removal of a service: its ended containers stay", "agent/worker/stray.go",
		"return services != nil && ", "return false && services != nil && ", sim(20), false,
	},
	{
		"the age of assignments: an older set is taken", "integration/sim/feed.go",
		"if here.before(f.at) {", "if false {", test("./integration/sim", "TestFeedLeaves"), false,
	},
	{
		"the epoch of feeds", "agent/feed.go",
		"return p.epoch < o.epoch || p.epoch == o.epoch && p.index < o.index", "return p.index < o.index", test("./agent", "TestPosition"), false,
	},
	{
		"the epoch of tables", "lb/table.go",
		"cmp.Or(cmp.Compare(t.Epoch, o.Epoch), cmp.Compare(t.Index, o.Index), cmp.Compare(t.Weighed, o.Weighed)) > 0",
		"cmp.Or(cmp.Compare(t.Index, o.Index), cmp.Compare(t.Weighed, o.Weighed)) > 0", test("./lb", "TestNewer"), false,
	},
	{
		"whether a task is ready, when it is balanced to", "lb/input.go",
		"&& t.Desired == cluster.Running && t.Ready() {", "{", sim(40), false,
	},
	{
		"whether a host is dead, when it is balanced to", "lb/input.go",
		"if n.Condition == cluster.Down {", "if n.Condition == \"-\" {", sim(40), false,
	},
	{
		"the tasks of dead hosts, which are no endpoints", "lb/input.go",
		"if alive[t.Node] && t.Desired", "if t.Desired", test("./lb", "TestFromView"), false,
	},
	{
		"the endpoints on dead hosts, which are not balanced to", "lb/table.go",
		" || t.IsDown(e.Node) {", " {", test("./lb", "TestBuild"), false,
	},
}

// Who may.
var accessMutants = []mutant{
	{
		"whether a caller still is a member", "security/access.go",
		"case !known:", "case !known && known:", test("./security", "TestAuthorise"), false,
	},
	{
		"whether who streams the log votes", "security/access.go",
		"case !voter && (need == Voter || need == RaftStream):", "case !voter && voter:", test("./security", "TestAuthorise"), false,
	},
	{
		"whether a stream's caller still is a member, while it goes on", "agent/revoke.go",
		"m.a.server.Review()", "", test("./integration/virtual", "TestStolenIdentity"), false,
	},
}
