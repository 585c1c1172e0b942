package server

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// presenter turns replicated state into what people see.
type presenter struct {
	view     state.View
	leaderID cluster.NodeID
	soft     Leader // nil when the answer is stale
	suspects map[cluster.NodeID]bool
	votes    map[cluster.NodeID]bool // nil: replicated state must do
}

// present makes a presenter for this call. Measured values and suspicion are
// the leader's alone.
func (c *call) present() presenter {
	v, _ := c.State.View()
	p := presenter{view: v, leaderID: c.Nodes.LeaderID()}
	if c.isLeader() {
		p.votes = c.Leader.Votes()
		// One that may have been replaced a moment ago has measured for nobody.
		if !c.stale {
			p.soft, p.suspects = c.Leader, c.Leader.Suspects()
		}
	}
	return p
}

func (p presenter) node(n *cluster.Node) api.Node {
	out := api.Node{
		ID: string(n.ID), Name: n.Name, Address: n.Address, State: string(n.Condition),
		Availability: string(n.Availability), Role: "worker",
		CPUs: float64(n.Capacity.MilliCPU) / 1000, Memory: n.Capacity.Memory,
		Tasks: p.view.Allocated(n.ID).Tasks,
		Disk:  n.Capacity.Disk, Bandwidth: n.Capacity.Bandwidth, GPUs: float64(n.Capacity.MilliGPU) / 1000,
	}
	switch {
	case n.ID == p.leaderID:
		out.Role = "leader"
	case p.hasVote(n):
		out.Role = "voter"
	case n.Voter:
		out.Role = "non-voter"
	}
	if n.Condition == cluster.Ready && p.suspects[n.ID] {
		out.State = "suspect"
	}
	if p.soft != nil && n.Condition != cluster.Down {
		if u, ok := p.soft.Usage(n.ID); ok {
			cpu, mem := float64(u.MilliCPU)/1000, u.Memory
			out.CPUUsed, out.MemoryUsed = &cpu, &mem
		}
	}
	return out
}

// hasVote reports whether a node that takes part in the log has a vote: one that
// is on its way to a seat, or lost its log, follows without.
func (p presenter) hasVote(n *cluster.Node) bool {
	return n.Voter && (p.votes == nil || p.votes[n.ID])
}

func (p presenter) nodeDetail(n *cluster.Node) api.NodeDetail {
	held := p.view.Allocated(n.ID).Resources
	d := api.NodeDetail{
		Node: p.node(n), Labels: n.Labels, OS: n.OS, Arch: n.Arch, EngineVersion: n.EngineVersion, Version: n.Version,
		EngineError: n.EngineError, Reason: n.Reason, Since: n.ConditionSince, Joined: n.Joined,
		CPUAllocated: float64(held.MilliCPU) / 1000, MemAllocated: held.Memory, TaskList: []api.Task{},
		DiskAllocated: held.Disk, RateAllocated: held.Bandwidth, GPUsAllocated: float64(held.MilliGPU) / 1000, Devices: p.devices(n),
	}
	if d.Labels == nil {
		d.Labels = map[string]string{}
	}
	for t := range p.view.TasksOn(n.ID) {
		if !t.Ended() {
			d.TaskList = append(d.TaskList, p.task(t))
		}
	}
	return d
}

func (p presenter) devices(n *cluster.Node) []api.NodeDevice {
	used := make([]int64, len(n.Devices))
	for t := range p.view.TasksOn(n.ID) {
		if t.Holds() {
			used = cluster.UsedDevices(n.Devices, used, t.Devices)
		}
	}
	out := make([]api.NodeDevice, len(n.Devices))
	for i, d := range n.Devices {
		out[i] = api.NodeDevice{HostDevice: d, Allocated: float64(used[i]) / cluster.WholeDevice}
	}
	return out
}

func (p presenter) task(t *cluster.Task) api.Task {
	out := api.Task{
		ID: string(t.ID), Service: string(t.Service), Slot: t.Slot, NodeID: string(t.Node), Desired: string(t.Desired),
		State:  string(cluster.TaskState(t, p.view.Condition(t.Node))),
		Reason: t.Reason, Restarts: t.Observed.Restarts, Address: t.Observed.Address,
		Ports: t.Observed.Ports, ContainerID: t.Observed.ContainerID, Created: t.Created, Updated: t.Updated,
		Error: t.Observed.Error, Generation: t.Generation, Health: string(t.Observed.Health), ExitCode: t.Observed.ExitCode,
		Devices: t.Devices, Addresses: t.Addresses,
	}
	if out.Ports == nil {
		out.Ports = []cluster.PortBinding{}
	}
	if t.Desired == cluster.Running && t.Leaving(time.Now()) {
		out.Leaving = t.Leave.Reason
	}
	if n, ok := p.view.Node(t.Node); ok {
		out.Node = n.Name
	}
	if s, ok := p.view.Service(t.Service); ok {
		if tpl, ok := s.Template(t.Generation); ok {
			out.Image = tpl.Container.Image.Ref
		}
	}
	return out
}

func (p presenter) service(s *cluster.Service) api.Service {
	out := api.Service{
		Service: string(s.ID), Stack: s.ID.Stack(), Mode: string(s.Spec.Mode), Desired: s.Spec.Replicas,
		Image: s.Spec.Template.Container.Image.Ref, Generation: s.Generation, Ports: portsOf(s), Removing: s.Removing,
		Problem: s.SetAside, Rollout: rolloutOf(s), Redirect: string(s.Redirect),
	}
	if s.Address.IsValid() {
		out.Address = s.Address.String()
	}
	if out.Problem == "" && s.Outcome() == cluster.OutcomePaused {
		out.Problem = "the update is paused: " + out.Rollout.Reason
	}
	wanted := map[int]bool{}
	running, healthy := map[int]bool{}, map[int]bool{}
	for t := range p.view.TasksOf(s.ID) {
		if t.Desired != cluster.Running || t.Ended() {
			continue
		}
		wanted[t.Slot] = true
		if p.lost(t) {
			continue // never counted as running
		}
		if t.Observed.Phase == cluster.PhaseRunning {
			running[t.Slot] = true
		}
		if t.Ready() {
			healthy[t.Slot] = true
		}
	}
	if s.Spec.Mode == cluster.Global {
		out.Desired = len(wanted)
	}
	if s.Removing {
		out.Desired = 0
	}
	out.Running, out.Healthy = len(running), len(healthy)
	return out
}

// rolloutOf is how far the service is with its generation.
func rolloutOf(s *cluster.Service) api.Rollout {
	out := api.Rollout{State: string(s.Release.Outcome), Reason: s.Release.Reason}
	switch back := s.Returned; {
	case back != nil:
		out = api.Rollout{State: api.RolledBack, From: back.From, Reason: back.Reason}
		switch back.Outcome {
		case "":
			out.State = api.RollingBack
		case cluster.OutcomePaused:
			out.State = string(back.Outcome)
		}
	case out.State != "":
	case s.OnTrial():
		out.State = api.OnTrial
	case s.Updating():
		out.State = api.Updating
	}
	return out
}

func portsOf(s *cluster.Service) []string {
	out := []string{}
	for _, p := range s.Spec.Template.Ports {
		switch {
		case p.Published == 0:
			out = append(out, fmt.Sprintf("%d/%s", p.Target, p.Protocol))
		case p.Mode == cluster.HostPort:
			out = append(out, fmt.Sprintf("%d->%d/%s (host)", p.Published, p.Target, p.Protocol))
		default:
			out = append(out, fmt.Sprintf("%d->%d/%s", p.Published, p.Target, p.Protocol))
		}
	}
	return out
}

// completed counts the slots of a service that ran to their end and stay so:
// nothing follows in them.
func (p presenter) completed(s *cluster.Service) int {
	done, live := map[int]bool{}, map[int]bool{}
	for t := range p.view.TasksOf(s.ID) {
		switch {
		case t.Desired != cluster.Running:
		case !t.Ended():
			live[t.Slot] = true
		case t.Generation == s.Generation && cluster.TaskState(t, p.view.Condition(t.Node)) == cluster.StateComplete:
			done[t.Slot] = true
		}
	}
	maps.DeleteFunc(done, func(slot int, _ bool) bool { return live[slot] })
	return len(done)
}

// lost reports whether a task's node is down or has left the cluster.
func (p presenter) lost(t *cluster.Task) bool {
	c := p.view.Condition(t.Node)
	return t.Node != "" && (c == cluster.Down || c == "")
}

// over reports whether nothing of a task runs where anybody sees it, or will.
func (p presenter) over(t *cluster.Task) bool {
	return t.Ended() || t.Desired == cluster.Stopped && p.lost(t)
}

// settled reports whether a service is as its spec wants it: every slot of the
// current generation ready or complete, nothing else left running, and its update
// found good. A global service has nothing to run on a node that is down.
func (p presenter) settled(s *cluster.Service) bool {
	if s.OnTrial() {
		return p.onTrial(s)
	}
	if s.Removing || s.Updating() || s.Outcome() == cluster.OutcomePaused {
		return false
	}
	ready := map[int]bool{}
	for t := range p.view.TasksOf(s.ID) {
		if p.over(t) || s.Spec.Mode == cluster.Global && p.view.Condition(t.Pinned) == cluster.Down {
			continue
		}
		surplus := s.Spec.Mode == cluster.Replicated && t.Slot > s.Spec.Replicas
		if surplus || t.Desired == cluster.Stopped || t.Generation != s.Generation || !t.Ready() || p.lost(t) {
			return false
		}
		ready[t.Slot] = true
	}
	if s.Spec.Mode == cluster.Global {
		return len(ready)+p.completed(s) >= p.eligible(s)
	}
	return len(ready)+p.completed(s) >= s.Spec.Replicas
}

// onTrial reports whether a canary is as it is wanted: the service has all of its
// tasks, all are ready, and the canary's are among them.
func (p presenter) onTrial(s *cluster.Service) bool {
	tasks, tried := 0, 0
	for t := range p.view.TasksOf(s.ID) {
		switch {
		case p.over(t):
			continue
		case t.Desired == cluster.Stopped || !t.Ready() || p.lost(t):
			return false
		case t.Generation == s.Generation:
			tried++
		}
		tasks++
	}
	want := s.Spec.Replicas
	if s.Spec.Mode == cluster.Global {
		want = p.eligible(s)
	}
	return !s.Removing && tasks >= want && tried >= min(s.Release.Canary, want)
}

// eligible counts the nodes that should run a task of a global service.
func (p presenter) eligible(s *cluster.Service) int {
	constraints, err := cluster.ParseConstraints(s.Spec.Template.Constraints)
	if err != nil {
		return 0
	}
	n := 0
	for node := range p.view.Nodes() {
		if node.Unschedulable() == "" && s.Spec.Placement.Bars(node) == "" && !slices.ContainsFunc(constraints, func(c cluster.Constraint) bool { return !c.Matches(node) }) {
			n++
		}
	}
	return n
}

// findNode finds a node by ID, name, or unambiguous ID prefix.
func findNode(v state.View, arg string) (*cluster.Node, error) {
	if n, ok := v.Node(cluster.NodeID(strings.ToUpper(arg))); ok {
		return n, nil
	}
	var named, prefixed []*cluster.Node
	for n := range v.Nodes() {
		if n.Name == arg {
			named = append(named, n)
		}
		if arg != "" && strings.HasPrefix(string(n.ID), strings.ToUpper(arg)) {
			prefixed = append(prefixed, n)
		}
	}
	for _, found := range [][]*cluster.Node{named, prefixed} {
		if len(found) == 1 {
			return found[0], nil
		}
		if len(found) > 1 {
			return nil, api.Errorf(api.CodeConflict, "%d nodes go by %q", len(found), arg).WithHint("give the ID that `muster node ls` shows")
		}
	}
	return nil, api.Errorf(api.CodeNotFound, "there is no node %q", arg).WithHint("`muster node ls` lists them")
}

// findTask finds a task by ID or unambiguous ID prefix.
func findTask(v state.View, arg string) (*cluster.Task, error) {
	if t, ok := v.Task(cluster.TaskID(strings.ToUpper(arg))); ok {
		return t, nil
	}
	var found []*cluster.Task
	for t := range v.Tasks() {
		if arg != "" && strings.HasPrefix(string(t.ID), strings.ToUpper(arg)) {
			found = append(found, t)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return nil, api.Errorf(api.CodeNotFound, "there is no task %q", arg).WithHint("`muster ps -a` lists them")
	}
	return nil, api.Errorf(api.CodeConflict, "%d tasks begin with %q", len(found), arg).WithHint("give more of the ID")
}
