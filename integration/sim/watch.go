package sim

import (
	"fmt"
	"slices"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
	"github.com/musterhq/muster/controller"
	"github.com/musterhq/muster/integration/invariants"
	"github.com/musterhq/muster/runtime"
)

// watch checks the invariants of the whole: it sees what nobody in the cluster
// sees, at the instant at which it happens.
type watch struct {
	w        *World
	promises invariants.Promises
	dead     invariants.Dead
	commits  int
	requests map[string]bool // that were applied; looked up only
	able     time.Duration   // since when a leader can commit; -1: it cannot
	// electable: since when voters could elect a leader while none commits; -1:
	// they could not, or one does.
	electable time.Duration
}

// Paces of what is checked by the clock and of full checks.
const (
	checkEvery    = 500 * time.Millisecond
	fullCheck     = 64 // commits
	sparedChecks  = 8  // commits, in a large world
	tableLateness = 2500 * time.Millisecond
)

func newWatch(w *World) *watch {
	c := &watch{w: w, able: -1, electable: -1, requests: map[string]bool{}}
	w.every(checkEvery, func() {
		c.tables()
		c.lateness()
	})
	return c
}

// committed checks what an entry of the log changed; basis is the state that its
// proposer knew.
func (c *watch) committed(before, after, basis state.View, changes []state.Change) {
	was, is, known := invariants.State(before), invariants.State(after), invariants.State(basis)
	// Where an older voter does not know what a stop rests on, news may cross it.
	healthy := func(t *cluster.Task) bool {
		told, ok := basis.Task(t.ID)
		return c.running(t) && (!c.w.mixed || ok && told.Ready())
	}
	c.commits++
	sparing := c.w.large() && c.commits%sparedChecks != 0
	if c.commits%fullCheck == 0 {
		c.w.failAll(invariants.Safety(is))
	}
	var services []cluster.ServiceID // that were checked
	for i, ch := range changes {
		switch ch.Topic {
		case state.TopicNode:
			c.w.failAll(invariants.NodeSafety(is, cluster.NodeID(ch.Key)))
			for t := range after.TasksOn(cluster.NodeID(ch.Key)) {
				c.saw(after, t.ID)
			}
		case state.TopicService:
			c.w.failAll(c.promises.Kept(is))
		case state.TopicTask:
			id := cluster.TaskID(ch.Key)
			c.w.failAll(invariants.Step(was, is, id, healthy))
			c.w.failAll(invariants.Placed(was, known, is, id))
			c.saw(after, id)
			if ch.Node != "" && !seenBefore(changes[:i], ch) {
				c.w.failAll(invariants.NodeSafety(is, ch.Node))
			}
			if t, ok := after.Task(id); ok {
				c.w.failAll(invariants.TaskAddresses(is, t))
			}
			if t, ok := after.Task(id); ok && !sparing && !slices.Contains(services, t.Service) {
				services = append(services, t.Service)
				c.w.failAll(invariants.ServiceSafety(is, t.Service))
			}
		}
	}
}

// request checks that a request that was sent again changes nothing.
func (c *watch) request(before, after state.View, request string) {
	if request == "" {
		return
	}
	if c.requests[request] && before.Hash() != after.Hash() {
		c.w.fail(invariants.Violation{Rule: invariants.Twice, Detail: "request " + request + " changed something again"})
	}
	c.requests[request] = true
}

// seenBefore reports whether an earlier change concerns the same task.
func seenBefore(changes []state.Change, ch state.Change) bool {
	for _, o := range changes {
		if o.Key == ch.Key {
			return true
		}
	}
	return false
}

func (c *watch) saw(v state.View, id cluster.TaskID) {
	t, ok := v.Task(id)
	if !ok {
		c.dead.Saw(id, nil, "", c.w.clock())
		return
	}
	c.dead.Saw(id, t, v.Condition(t.Node), c.w.clock())
}

// running reports whether a container of the task really runs.
func (c *watch) running(t *cluster.Task) bool {
	h := c.w.host(t.Node)
	if h == nil {
		return false
	}
	for _, k := range h.engine.containers {
		if k.Status == runtime.StatusRunning && cluster.TaskID(k.Labels[runtime.LabelTask]) == t.ID {
			return true
		}
	}
	return false
}

// containersChanged checks what really runs on a host.
func (c *watch) containersChanged(h *host) { c.w.failAll(invariants.HostSafety(observe(h, false))) }

// stopping judges an agent that is about to stop a running container.
func (c *watch) stopping(h *host, k *container) {
	others := false
	task := k.Labels[runtime.LabelTask]
	for _, o := range h.engine.containers {
		others = others || o != k && o.Status == runtime.StatusRunning && o.Labels[runtime.LabelTask] == task
	}
	c.w.failAll(invariants.Unwanted(c.w.raft.newest(), h.id, cluster.TaskID(task), others))
}

// tables checks the balancers of the nodes that have been in touch for long
// enough to know: with a voter that is itself in touch with the leader.
func (c *watch) tables() {
	l := c.w.raft.leader
	sound := uint64(0) // index of the last table that was: most nodes have the same
	for _, h := range c.w.hosts {
		a := h.agent
		if a == nil {
			continue
		}
		from := a.feed.from
		_, member := c.w.raft.newest().Node(h.id)
		inTouch := member && l != nil && l.agent.caught() && from != nil && h.awake() && c.w.reaches(h, from) &&
			c.w.raft.reachesVoter(from) && !from.replica.lags()
		if !inTouch {
			a.feed.since = c.w.now
			continue
		}
		if i := a.table.Index(); i != sound && c.w.now-a.feed.since > tableLateness {
			c.w.failAll(c.dead.InTable(h.id, c.w.table(a.table), c.w.clock()))
			sound = i
		}
	}
}

// caught reports whether this agent leads and has all that was committed.
func (a *agent) caught() bool { return a != nil && a.term != nil && a.term.caught }

func (c *replica) lags() bool { return c == nil || c.stuck }

// observe is what really runs on a host.
func observe(h *host, connected bool) invariants.Host {
	out := invariants.Host{Node: h.id, Connected: connected}
	for _, c := range h.engine.containers {
		if c.Status == runtime.StatusExited {
			out.Ended = append(out.Ended, cluster.NewServiceID(c.Labels[runtime.LabelStack], c.Labels[runtime.LabelService]))
		}
		if c.Status != runtime.StatusRunning {
			continue
		}
		k := invariants.Container{ID: c.ID, Task: cluster.TaskID(c.Labels[runtime.LabelTask])}
		for _, p := range c.request.Publish {
			if p.Host != 0 {
				k.Ports = append(k.Ports, cluster.Port{Published: p.Host, Protocol: p.Protocol, HostIP: p.HostIP})
			}
		}
		out.Containers = append(out.Containers, k)
	}
	return out
}

// unsettled is what differs between desired and actual now, or what the leader
// would still do.
func (c *watch) unsettled() []invariants.Violation {
	w := c.w
	l := w.raft.leader
	if l == nil || l.agent == nil || l.agent.term == nil {
		return []invariants.Violation{{Rule: invariants.NotSettled, Detail: "there is no leader"}}
	}
	t, v := l.agent.term, w.raft.newest()
	until := t.tracker.Step(v.Nodes(), l.clock()).Quarantine
	q := invariants.Quiet{State: v, Works: works, Quarantined: map[cluster.NodeID]bool{}}
	for id := range until {
		q.Quarantined[id] = true
	}
	for _, h := range w.hosts {
		// One that is no member obeys nobody, but as long as it has power its
		// containers count.
		q.Hosts = append(q.Hosts, observe(h, h.power && !h.member || h.awake() && w.toLeader(h) != nil))
	}
	out := q.Violations()
	if len(out) == 0 && !t.waiting && t.idle.known && t.idle.index == v.Index() {
		if d := controller.Decide(v, controller.Facts{Quarantine: until}, l.clock(), t.newID); !d.Empty() && w.cfg.Plant == "" && (t.idle.until.IsZero() || l.clock().Before(t.idle.until)) {
			out = append(out, invariants.Violation{Rule: invariants.NotIdle, Detail: "a second pass plans: " + describe(d.Reconcile)})
		}
	}
	if id, ok := w.raft.votersAgree(); !ok {
		out = append(out, invariants.Violation{Rule: invariants.NotSettled, Detail: fmt.Sprintf("node %s is granted raft streams and no voter, or the other way round", id)})
	}
	if lost, spare, ok := w.raft.spareFor(); ok {
		out = append(out, invariants.Violation{Rule: invariants.NotSettled, Detail: fmt.Sprintf("voter %s is down, and node %s could have its seat", lost, spare)})
	}
	for s := range v.Services() {
		if fails := natureOf(s.Spec.Template.Container.Image); (fails == crash || fails == broken) && rollsBack(v, s) {
			out = append(out, invariants.Violation{Rule: invariants.NotSettled, Detail: fmt.Sprintf("generation %d of %s cannot work and is not rolled back", s.Generation, s.ID)})
		}
	}
	for s := range v.Services() {
		if n := canaries(v, s); s.OnTrial() && n > s.Release.Canary {
			out = append(out, invariants.Violation{Rule: invariants.NotSettled, Detail: fmt.Sprintf("the canary of %s is of %d tasks and has %d", s.ID, s.Release.Canary, n)})
		}
	}
	return append(out, invariants.Safety(v)...)
}

// canaries counts the slots with a live task of the service's present generation.
// One that waits for another node to take it has two.
func canaries(v state.View, s *cluster.Service) int {
	slots := map[int]bool{}
	for t := range v.TasksOf(s.ID) {
		if t.Generation == s.Generation && t.Desired == cluster.Running && !t.Ended() {
			slots[t.Slot] = true
		}
	}
	return len(slots)
}

// rollsBack reports whether the service has a good generation and has to return
// to it once a task of its new one fails. One on a host that is down is lost and
// fails no more.
func rollsBack(v state.View, s *cluster.Service) bool {
	u := s.Spec.Update
	if !s.Updating() || s.Returned != nil || u.MaxFailureRatio > 0 || u.FailureAction != "" && u.FailureAction != cluster.ActionRollback {
		return false
	}
	for t := range v.TasksOf(s.ID) {
		if t.Generation == s.Generation && t.Node != "" && !t.Ended() && v.Condition(t.Node) != cluster.Down {
			return true
		}
	}
	return false
}
