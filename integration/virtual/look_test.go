package virtual

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

// up are the hosts that live and run an agent.
func (r *ring) up() []*host {
	var out []*host
	for _, h := range r.hosts {
		if h.alive && h.agent != nil && !h.agent.killed {
			out = append(out, h)
		}
	}
	return out
}

// leaders are the hosts whose agents say that they lead.
func (r *ring) leaders(of ...*host) []*host {
	var out []*host
	for _, h := range of {
		if l, err := h.local(); err == nil && l.Role == "leader" {
			out = append(out, h)
		}
	}
	return out
}

// leader waits for the leader among the hosts that are up.
func (r *ring) leader() *host {
	r.Helper()
	var found []*host
	r.until(15e9, func() string {
		if found = r.leaders(r.up()...); len(found) == 1 {
			return ""
		}
		return fmt.Sprintf("leaders: %v", found)
	})
	return found[0]
}

// follower is a voter that does not lead.
func (r *ring) follower() *host {
	r.Helper()
	r.leader()
	for _, h := range r.up() {
		if l, err := h.local(); err == nil && l.Role == "voter" {
			return h
		}
	}
	r.Fatal("there is no follower")
	return nil
}

// worker is a node that does not vote.
func (r *ring) worker() *host {
	r.Helper()
	r.leader()
	for _, h := range r.up() {
		if l, err := h.local(); err == nil && l.Role == "worker" {
			return h
		}
	}
	r.Fatal("there is no worker")
	return nil
}

// well is a host that answers for the cluster: the leader, else any.
func (r *ring) well() *host {
	for _, h := range r.leaders(r.up()...) {
		return h
	}
	return r.up()[0]
}

// nodes are the nodes as the host says, by name.
func (h *host) nodes() (map[string]api.Node, error) {
	list, err := get[[]api.Node](h, "/v1/nodes")
	out := map[string]api.Node{}
	for _, n := range list {
		out[n.Name] = n
	}
	return out, err
}

// state reports whether nodes have the state, as the leader says.
func (r *ring) state(want string, hosts ...*host) func() string {
	return func() string {
		nodes, err := r.well().nodes()
		if err != nil {
			return "list the nodes: " + err.Error()
		}
		for _, h := range hosts {
			if got := nodes[h.name].State; got != want {
				return fmt.Sprintf("node %s is %q, not %q", h.name, got, want)
			}
		}
		return ""
	}
}

// never reports a node that was judged to be in a state.
func (r *ring) never(state string, hosts ...*host) func() string {
	return func() string {
		nodes, err := r.well().nodes()
		if err != nil {
			return "list the nodes: " + err.Error()
		}
		for _, h := range hosts {
			if nodes[h.name].State == state {
				return fmt.Sprintf("node %s is %s", h.name, state)
			}
		}
		return ""
	}
}

func (r *ring) ready(hosts ...*host) func() string { return r.state("ready", hosts...) }

// voters reports whether the cluster has as many voters, and who they are says
// the same.
func (r *ring) voters(want int) func() string {
	return func() string {
		nodes, err := r.well().nodes()
		if err != nil {
			return "list the nodes: " + err.Error()
		}
		var got []string
		for _, n := range nodes {
			if n.Role != "worker" {
				got = append(got, n.Name)
			}
		}
		slices.Sort(got)
		if len(got) != want {
			return fmt.Sprintf("%d voters %v, not %d", len(got), got, want)
		}
		for _, h := range r.up() {
			l, err := h.local()
			if err != nil {
				return err.Error()
			}
			if votes := l.Role == "voter" || l.Role == "leader"; votes != slices.Contains(got, h.name) {
				return fmt.Sprintf("%s calls itself %s, the voters are %v", h.name, l.Role, got)
			}
		}
		return ""
	}
}

// role reports whether the cluster calls the node one of these.
func (r *ring) role(h *host, want ...string) func() string {
	return func() string {
		nodes, err := r.well().nodes()
		if err != nil {
			return "list the nodes: " + err.Error()
		}
		if got := nodes[h.name].Role; !slices.Contains(want, got) {
			return fmt.Sprintf("%s is %q, not %v", h.name, got, want)
		}
		return ""
	}
}

// seated is voters for a cluster in which hosts are dead: it counts those seats
// alone whose hosts are up.
func (r *ring) seated(want int) func() string {
	return func() string {
		nodes, err := r.member().nodes()
		if err != nil {
			return "list the nodes: " + err.Error()
		}
		var got []string
		for _, h := range r.up() {
			if role := nodes[h.name].Role; role == "voter" || role == "leader" {
				got = append(got, h.name)
			}
		}
		if len(got) != want {
			return fmt.Sprintf("%d living voters %v, not %d", len(got), got, want)
		}
		return ""
	}
}

// inside are the hosts that are in a cluster.
func (r *ring) inside() []*host {
	var out []*host
	for _, h := range r.up() {
		if l, err := h.local(); err == nil && l.ClusterID != "" {
			out = append(out, h)
		}
	}
	return out
}

// member is a host that is in a cluster.
func (r *ring) member() *host {
	r.Helper()
	for _, h := range append(r.leaders(r.up()...), r.up()...) {
		if l, err := h.local(); err == nil && l.ClusterID != "" {
			return h
		}
	}
	r.Fatal("no host is in a cluster")
	return nil
}

// tasks are those of app/web that are not over, as the host says.
func (h *host) tasks() ([]api.Task, error) { return get[[]api.Task](h, "/v1/tasks?service=app/web") }

// containers are the running ones of a host, by task.
func (h *host) containers() map[cluster.TaskID]runtime.Container {
	out := map[cluster.TaskID]runtime.Container{}
	if !h.alive {
		return out
	}
	for _, c := range h.engine.Snapshot() {
		if c.Status == runtime.StatusRunning {
			out[cluster.TaskID(c.Labels[runtime.LabelTask])] = c
		}
	}
	return out
}

// running reports whether exactly so many tasks of app/web run, one in each
// slot, as the cluster says and as the engines of all living hosts show.
func (r *ring) running(want int) func() string {
	return func() string {
		tasks, err := r.well().tasks()
		if err != nil {
			return "list the tasks: " + err.Error()
		}
		real := map[cluster.TaskID]string{}
		for _, h := range r.hosts {
			for id := range h.containers() {
				if other, twice := real[id]; twice {
					return fmt.Sprintf("task %s runs on %s and on %s", id, other, h.name)
				}
				real[id] = h.name
			}
		}
		slots := map[int]bool{}
		for _, t := range tasks {
			switch {
			case t.State != "running" || t.Desired != "running":
				return fmt.Sprintf("task %s in slot %d on %s is %s, to be %s (%s %s)", t.ID, t.Slot, t.Node, t.State, t.Desired, t.Reason, t.Error)
			case slots[t.Slot]:
				return fmt.Sprintf("slot %d has two tasks", t.Slot)
			case real[cluster.TaskID(t.ID)] != t.Node:
				return fmt.Sprintf("task %s is said to run on %q and runs on %q", t.ID, t.Node, real[cluster.TaskID(t.ID)])
			}
			slots[t.Slot] = true
		}
		if len(tasks) != want || len(real) != want {
			return fmt.Sprintf("%d tasks are said to run, %d do, not %d", len(tasks), len(real), want)
		}
		return ""
	}
}

// serving reports whether each of so many slots has a running container on the
// given hosts, or on any that lives.
func (r *ring) serving(want int, on ...*host) func() string {
	return func() string {
		if len(on) == 0 {
			on = r.hosts
		}
		slots := map[string]bool{}
		for _, h := range on {
			for _, c := range h.containers() {
				slots[c.Labels[runtime.LabelSlot]] = true
			}
		}
		if len(slots) != want {
			return fmt.Sprintf("%d slots are served, not %d", len(slots), want)
		}
		return ""
	}
}

// kept fails unless what ran then runs still.
func (r *ring) kept(then map[string]string) {
	r.Helper()
	now := started(r.hosts...)
	for name, was := range then {
		if now[name] != was {
			r.Errorf("container %s was %q and is %q", name, was, now[name])
		}
	}
}

// spread counts the running containers of each host.
func (r *ring) spread() map[string]int {
	out := map[string]int{}
	for _, h := range r.hosts {
		if n := len(h.containers()); n > 0 {
			out[h.name] = n
		}
	}
	return out
}

// started is when each container on the hosts began its run.
func started(hosts ...*host) map[string]string {
	out := map[string]string{}
	for _, h := range hosts {
		for _, c := range h.containers() {
			out[c.Name] = h.name + " " + c.ID + " " + c.Started.String()
		}
	}
	return out
}

// describe shows the ring as it is.
func (r *ring) describe() string {
	var b strings.Builder
	for _, h := range r.hosts {
		l, err := h.local()
		fmt.Fprintf(&b, "%s %s alive=%v role=%q err=%v containers=%d\n", h.name, h.ip, h.alive, l.Role, err, len(h.containers()))
	}
	w := r.up()
	if len(w) == 0 {
		return b.String()
	}
	nodes, err := r.well().nodes()
	for _, name := range slices.Sorted(maps.Keys(nodes)) {
		fmt.Fprintf(&b, "node %s %s %s %s\n", name, nodes[name].Role, nodes[name].State, nodes[name].Availability)
	}
	tasks, terr := r.well().tasks()
	for _, t := range tasks {
		fmt.Fprintf(&b, "task %s slot %d on %s: %s, to be %s %s %s\n", t.ID, t.Slot, t.Node, t.State, t.Desired, t.Reason, t.Error)
	}
	fmt.Fprintln(&b, err, terr)
	return b.String()
}
