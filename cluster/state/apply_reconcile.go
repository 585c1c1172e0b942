package state

import (
	"fmt"
	"time"

	"github.com/musterhq/muster/cluster"
)

func (c Reconcile) apply(tx *tx) error {
	for _, nc := range c.Conditions {
		tx.setCondition(nc)
	}
	// Verdicts come first: the rest was decided as if they held.
	for _, v := range c.Verdicts {
		tx.judge(v)
	}
	// Stops come before what is created: they free ports and room that the same decision uses.
	for _, s := range c.Stop {
		tx.stop(s)
	}
	for i := range c.Create {
		tx.create(c.Create[i])
	}
	for _, a := range c.Assign {
		tx.assign(a)
	}
	for _, e := range c.Explain {
		tx.explain(e)
	}
	for _, s := range c.SetAside {
		tx.setAside(s)
	}
	for _, id := range c.Forget {
		tx.forget(id)
	}
	return nil
}

func (tx *tx) refuse(task cluster.TaskID, format string, args ...any) {
	tx.refused = append(tx.refused, Refusal{Task: task, Reason: fmt.Sprintf(format, args...)})
}

func (tx *tx) stop(c StopTask) {
	old, ok := tx.tasks.get(string(c.Task))
	if !ok || old.Desired == cluster.Stopped {
		return
	}
	if why := tx.stale(c, old); why != "" {
		tx.refuse(c.Task, "since its task was to stop, %s", why)
		tx.staying = append(tx.staying, old)
		return
	}
	t := *old
	t.Desired, t.Reason = cluster.Stopped, c.Reason
	tx.putTask(&t)
	tx.event(taskEvent(&t, "stopping", c.Reason))
	tx.retain(t.Service, t.Slot)
}

// stale says what of the stop's grounds holds no more, or "".
func (tx *tx) stale(c StopTask, t *cluster.Task) string {
	if s, ok := tx.services.get(string(t.Service)); ok && !c.Seen.IsZero() && !s.Updated.Equal(c.Seen) {
		return fmt.Sprintf("service %s has changed", t.Service)
	}
	if c.Idle && t.Ready() {
		return "it has become ready"
	}
	if by, ok := tx.tasks.get(string(c.For)); c.For != "" && (!ok || !by.Ready()) {
		return fmt.Sprintf("%s, which takes over, has failed", c.For)
	}
	if c.By != "" && !tx.givesWay(t, c.By) {
		return fmt.Sprintf("%s, which was to have its place, waits no more for it", c.By)
	}
	if n, ok := tx.nodes.get(string(t.Node)); ok && c.Drained && n.Availability != cluster.Drained {
		return fmt.Sprintf("node %s has become %s", n.Name, n.Availability)
	}
	if c.Leaving && !t.Leaving(tx.now) {
		return "it is not to leave its node any more"
	}
	return ""
}

// givesWay reports whether the other task waits for a node and is so much more
// important that it may have the place of t.
func (tx *tx) givesWay(t *cluster.Task, other cluster.TaskID) bool {
	by, ok := tx.tasks.get(string(other))
	if !ok || by.Node != "" || by.Desired != cluster.Running {
		return false
	}
	s, ok := tx.services.get(string(by.Service))
	if !ok || s.Spec.Placement.Preempt == cluster.PreemptNever {
		return false
	}
	rank := cluster.DefaultPriority
	if victim, ok := tx.services.get(string(t.Service)); ok {
		rank = victim.Spec.Placement.Rank()
	}
	return s.Spec.Placement.Rank() >= rank+cluster.PriorityGap
}

// create adds a task to its slot. A task that carries a node is placed at once
// if it still fits there; if not it is created unplaced.
func (tx *tx) create(t cluster.Task) {
	if _, ok := tx.tasks.get(string(t.ID)); ok {
		return // the same decision, applied twice
	}
	s, ok := tx.services.get(string(t.Service))
	switch {
	case !ok || s.Removing:
		tx.refuse(t.ID, "service %s is gone", t.Service)
		return
	case t.Generation != s.Generation:
		if _, kept := s.Template(t.Generation); !kept {
			tx.refuse(t.ID, "generation %d of %s is gone", t.Generation, t.Service)
			return
		}
	}
	for _, o := range tx.slot(t.Service, t.Slot) {
		if o.ID != t.Replaces && o.Desired == cluster.Running && !o.Ended() {
			tx.refuse(t.ID, "slot %d of %s is held by %s", t.Slot, t.Service, o.ID)
			return
		}
	}
	node, devices := t.Node, t.Devices
	t.Devices, t.Addresses = nil, nil
	t.Node, t.Created, t.Desired, t.Observed = "", tx.now, cluster.Running, cluster.Observed{}
	t.ReadyAt, t.FailedAt, t.Leave = time.Time{}, time.Time{}, cluster.Leave{}
	if node != "" {
		if addresses, why := tx.fits(&t, node, devices); why != "" {
			tx.refuse(t.ID, "%s", why)
			t.Reason, t.Why = why, ""
		} else {
			t.Node, t.Devices = node, devices
			tx.giveAddresses(&t, addresses)
		}
	}
	tx.putTask(&t)
	tx.event(taskEvent(&t, "created", t.Reason))
}

func (tx *tx) assign(a Assign) {
	old, ok := tx.tasks.get(string(a.Task))
	switch {
	case !ok || old.Desired != cluster.Running:
		tx.refuse(a.Task, "the task is not wanted any more")
		return
	case old.Node == a.Node:
		return
	case old.Node != "":
		tx.refuse(a.Task, "the task is placed already")
		return
	case old.Generation != a.Generation:
		tx.refuse(a.Task, "the task is of generation %d", old.Generation)
		return
	}
	addresses, why := tx.fits(old, a.Node, a.Devices)
	if why != "" {
		tx.refuse(a.Task, "%s", why)
		return
	}
	t := *old
	t.Node, t.Reason, t.Why, t.Devices = a.Node, "", a.Why, a.Devices
	tx.giveAddresses(&t, addresses)
	tx.putTask(&t)
	tx.event(taskEvent(&t, "assigned", ""))
}

// fits checks what must hold of a placement whatever the policy was: the node
// takes tasks, has the room, the devices and the host ports, and the networks have
// addresses for the task, which it returns. why is the reason why not, or "".
func (tx *tx) fits(t *cluster.Task, id cluster.NodeID, devices []cluster.DeviceShare) (addresses []cluster.TaskAddress, why string) {
	if why := tx.fitsNode(t, id, devices); why != "" {
		return nil, why
	}
	return tx.addresses(t.Service, t.Generation)
}

func (tx *tx) fitsNode(t *cluster.Task, id cluster.NodeID, devices []cluster.DeviceShare) string {
	n, ok := tx.nodes.get(string(id))
	if !ok {
		return fmt.Sprintf("node %s is gone", id)
	}
	if why := n.Unschedulable(); why != "" {
		return fmt.Sprintf("%s: %s", n.Name, why)
	}
	if t.Pinned != "" && t.Pinned != id {
		return fmt.Sprintf("%s: the task belongs on another node", n.Name)
	}
	// The place was chosen as if these were gone: their seats count.
	for _, o := range tx.staying {
		if o.Service == t.Service && o.Node == id {
			return fmt.Sprintf("%s: task %s stays", n.Name, o.ID)
		}
	}
	var held cluster.Resources
	if a, ok := tx.allocated.get(string(id)); ok {
		held = a.Resources
	}
	if free := n.Capacity.Sub(held); !t.Resources.Fits(free) {
		return fmt.Sprintf("%s: %s short", n.Name, t.Resources.Missing(free))
	}
	if why := tx.fitsDevices(t, n, devices); why != "" {
		return fmt.Sprintf("%s: %s", n.Name, why)
	}
	if len(t.HostPorts) == 0 {
		return ""
	}
	for _, o := range tx.tasksOn(id) {
		if p, clash := portClash(t, o); clash && o.Holds() {
			return fmt.Sprintf("%s: port %d/%s is held by %s", n.Name, p.Published, p.Protocol, o.Service)
		}
	}
	return ""
}

// fitsDevices checks that the task gets what its template asks, and nothing that
// others have.
func (tx *tx) fitsDevices(t *cluster.Task, n *cluster.Node, devices []cluster.DeviceShare) string {
	s, ok := tx.services.get(string(t.Service))
	if !ok {
		return "" // its task ends
	}
	template, _ := s.Template(t.Generation)
	if len(template.Devices) == 0 && len(devices) == 0 {
		return ""
	}
	used := make([]int64, len(n.Devices))
	for _, o := range tx.tasksOn(n.ID) {
		if o.Holds() {
			used = cluster.UsedDevices(n.Devices, used, o.Devices)
		}
	}
	return cluster.CheckDevices(n.Devices, used, template.Devices, devices)
}

func portClash(a, b *cluster.Task) (cluster.Port, bool) {
	for _, p := range a.HostPorts {
		for _, q := range b.HostPorts {
			if p.Published == q.Published && p.Protocol == q.Protocol &&
				(p.HostIP == q.HostIP || p.HostIP == "" || q.HostIP == "") {
				return p, true
			}
		}
	}
	return cluster.Port{}, false
}

func (tx *tx) explain(e Explain) {
	old, ok := tx.tasks.get(string(e.Task))
	if !ok || old.Node != "" || old.Reason == e.Reason {
		return
	}
	t := *old
	t.Reason = e.Reason
	tx.putTask(&t)
	tx.event(taskEvent(&t, "pending", e.Reason))
}

func (tx *tx) setAside(c SetAside) {
	old, ok := tx.services.get(string(c.Service))
	if !ok || old.SetAside == c.Reason {
		return
	}
	s := *old
	s.SetAside = c.Reason
	tx.putService(&s)
	tx.event(Event{Type: "service", Action: "set-aside", Object: string(s.ID), Service: string(s.ID), Message: c.Reason})
}

// forget drops a removed service and its tasks once all of them are over.
func (tx *tx) forget(id cluster.ServiceID) {
	s, ok := tx.services.get(string(id))
	if !ok || !s.Removing {
		return
	}
	tasks := tx.tasksOf(id)
	for _, t := range tasks {
		if !tx.over(t) {
			return
		}
	}
	for _, t := range tasks {
		tx.deleteTask(t)
	}
	tx.services.del(string(id))
	tx.holdService(s, nil)
	tx.networksChanged = true // it may have been the last in one
	tx.changed(TopicService, string(id), "")
}

func taskEvent(t *cluster.Task, action, message string) Event {
	return Event{Type: "task", Action: action, Object: string(t.ID), Service: string(t.Service), Node: t.Node, Message: message}
}
