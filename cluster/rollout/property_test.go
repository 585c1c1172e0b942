package rollout

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// chaos drives a world with random operations.
type chaos struct {
	*world
	rt    *rapid.T
	nodes []string
	joins int
}

func (c *chaos) draw(n int) int { return rapid.IntRange(0, n-1).Draw(c.rt, "choice") }

func (c *chaos) node() string { return c.nodes[c.draw(len(c.nodes))] }

func (c *chaos) deployAny() {
	spec := func(s *cluster.ServiceSpec) {
		s.Replicas = c.draw(6)
		s.Update.Parallelism = c.draw(3)
		s.Update.Order = []cluster.Order{cluster.StartFirst, cluster.StopFirst}[c.draw(2)]
		s.Update.Delay = time.Duration(c.draw(2)) * time.Second
		if c.draw(4) == 0 {
			global(s)
		}
	}
	c.deploy(fmt.Sprint(c.draw(3)), spec)
}

// agentsAny has some agents report something that they may.
func (c *chaos) agentsAny() {
	for t := range c.st.View().Tasks() {
		if t.Node == "" || t.Ended() || c.st.View().Condition(t.Node) != cluster.Ready {
			continue
		}
		switch o := c.draw(10); {
		case o < 3:
		case t.Desired == cluster.Stopped:
			c.observe(t.ID, exited)
		case o < 8:
			c.observe(t.ID, running)
		case o < 9:
			c.observe(t.ID, backoff)
		default:
			c.observe(t.ID, gaveUp)
		}
	}
}

func (c *chaos) nodesAny() {
	switch c.draw(8) {
	case 0:
		if len(c.nodes) > 1 {
			i := c.draw(len(c.nodes))
			c.do(state.RemoveNode{ID: cluster.NodeID(c.nodes[i])})
			c.nodes = append(c.nodes[:i:i], c.nodes[i+1:]...)
		}
	case 1:
		c.joins++
		name := fmt.Sprintf("m%d", c.joins)
		c.do(state.JoinNode{Token: "tok", Node: cluster.Node{ID: cluster.NodeID(name), Name: name}})
		c.nodes = append(c.nodes, name)
	case 2, 3:
		c.available(c.node(), []cluster.Availability{cluster.Active, cluster.Cordoned, cluster.Drained}[c.draw(3)])
	default:
		c.condition(c.node(), []cluster.Condition{cluster.Ready, cluster.Away, cluster.Down}[c.draw(3)])
	}
}

func (c *chaos) act() {
	switch c.draw(11) {
	case 0:
		c.deployAny()
	case 1, 2:
		c.nodesAny()
	case 3:
		c.full = c.draw(3) == 0
	case 4:
		c.now = c.now.Add(time.Duration(c.draw(60)) * time.Second)
	case 5:
		if _, ok := c.st.View().Service(web); ok {
			c.do(state.RemoveStack{Stack: "s"})
		}
	case 6:
		c.leaveAny()
	default:
		c.agentsAny()
	}
	before := c.st.View()
	if c.draw(3) == 0 {
		before = c.crossedStep()
	} else {
		c.step()
	}
	c.checkTurn(before)
}

// leaveAny asks some tasks to leave their nodes, and calls off what was asked
// before.
func (c *chaos) leaveAny() {
	m := state.Move{Services: []cluster.ServiceID{web}}
	for t := range c.st.View().TasksOf(web) {
		if live(t) && t.Node != "" && t.Pinned == "" && c.draw(2) == 0 {
			m.Tasks = append(m.Tasks, state.MoveTask{Task: t.ID, From: t.Node})
		}
	}
	c.do(m)
}

// crossedStep steps while the agents' news are on their way: they take effect
// before the decision. What it found then is returned.
func (c *chaos) crossedStep() state.View {
	r, _ := Step(c.st.View(), c.now, c.newID, c.opts)
	c.agentsAny()
	met := c.st.View()
	c.index++
	c.st.Apply(c.index, state.Command{At: c.now, Body: r})
	c.place()
	return met
}

// checkTurn checks what the last decision did to healthy tasks.
func (c *chaos) checkTurn(before state.View) {
	p := newPass(before, c.now, nil, Options{})
	after := c.st.View()
	svc, ok := after.Service(web)
	if !ok {
		return
	}
	roots := map[int]int{}
	for t := range after.TasksOf(web) {
		if !live(t) {
			continue
		}
		if prev, ok := after.Task(t.Replaces); !ok || !live(prev) {
			roots[t.Slot]++
		}
	}
	for slot, n := range roots {
		if n > 1 {
			c.t.Fatalf("slot %d has %d holders", slot, n)
		}
	}
	if svc.Removing || svc.Spec.Mode == cluster.Global {
		return
	}
	stopped := 0
	for t := range before.TasksOf(web) {
		now, kept := after.Task(t.ID)
		if !live(t) || !p.ready(t) || kept && now.Desired == cluster.Running || t.Slot > svc.Spec.Replicas {
			continue
		}
		stopped++
		if svc.Policy().Order == cluster.StartFirst && !readyIn(after, t.Slot) {
			c.t.Fatalf("%s was healthy and stopped (%s) before its successor was ready", t.ID, now.Reason)
		}
	}
	if svc.Policy().Order == cluster.StopFirst && stopped > max(svc.Spec.Update.Parallelism, 1)+handedOver(before, after) {
		c.t.Fatalf("%d healthy tasks stopped at once, parallelism is %d", stopped, svc.Spec.Update.Parallelism)
	}
}

func readyIn(v state.View, slot int) bool {
	p := newPass(v, time.Time{}, nil, Options{})
	for t := range v.TasksOf(web) {
		if t.Slot == slot && live(t) && p.ready(t) {
			return true
		}
	}
	return false
}

// handedOver counts the slots whose stopped task has a ready one beside it.
func handedOver(before, after state.View) int {
	n := 0
	for t := range before.TasksOf(web) {
		if now, ok := after.Task(t.ID); ok && live(t) && now.Desired == cluster.Stopped && readyIn(after, t.Slot) {
			n++
		}
	}
	return n
}

// heal ends all faults and lets time pass until nothing is left to do.
func (c *chaos) heal() {
	c.full = false
	for _, n := range c.nodes {
		c.condition(n, cluster.Ready)
		c.available(n, cluster.Active)
	}
	for range 200 {
		c.run()
		if c.wake.IsZero() {
			return
		}
		c.now = c.wake
	}
	c.t.Fatal("there is still something to wait for after 200 waits")
}

func (c *chaos) settled() {
	v := c.st.View()
	svc, ok := v.Service(web)
	want := map[int]bool{}
	switch {
	case !ok || svc.Removing:
		if v.TaskCount() > 0 {
			c.t.Fatalf("%d tasks are left of a removed service", v.TaskCount())
		}
		return
	case svc.Spec.Mode == cluster.Replicated:
		for i := range svc.Spec.Replicas {
			want[i+1] = true
		}
	}
	n := 0
	p := newPass(v, time.Time{}, nil, Options{})
	for t := range v.TasksOf(web) {
		if !live(t) {
			continue
		}
		n++
		if t.Generation != svc.Generation || !p.ready(t) || svc.Spec.Mode == cluster.Replicated && !want[t.Slot] {
			c.t.Fatalf("%+v is live in the end", t)
		}
		delete(want, t.Slot)
	}
	if svc.Spec.Mode == cluster.Global && n != len(c.nodes) || len(want) > 0 {
		c.t.Fatalf("%d tasks in the end, slots %v are empty", n, want)
	}
}

func TestWhateverHappensTheServiceRecovers(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		nodes := []string{"n1", "n2", "n3"}
		c := &chaos{world: newWorld(rt, nodes...), rt: rt, nodes: nodes}
		c.deployAny()
		for range rapid.IntRange(1, 40).Draw(rt, "actions") {
			c.act()
		}
		c.heal()
		c.settled()
	})
}
