//go:build linux

package chaos

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/integration/fleet"
	"github.com/musterhq/muster/integration/lab"
)

var n1, n2 = &lab.Host{Name: "n1"}, &lab.Host{Name: "n2"}

// runs is a container for a slot of the last stack, whose tasks hold a port.
func runs(task string, slot int, on *lab.Host) fleet.Container {
	return fleet.Container{Host: on, Container: lab.Container{ID: "c" + task + on.Name, Name: "web", State: "running", Labels: map[string]string{
		"muster.task": task, "muster.slot": fmt.Sprint(slot), "muster.stack": stackName(stacks - 1), "muster.service": "web", "muster.generation": "1",
	}, Ports: []lab.Port{{IP: "0.0.0.0", PrivatePort: 80, PublicPort: int(port(stacks - 1)), Type: "tcp"}}}}
}

func wanted(task string, slot int, on string) api.Task {
	return api.Task{ID: task, Service: stackName(stacks-1) + "/web", Slot: slot, Generation: 1, Node: on, NodeID: on, State: "running", Desired: "running"}
}

// well is a picture of two tasks on two nodes, as desired.
func well() picture {
	name := stackName(stacks - 1)
	return picture{
		nodes: map[string]api.Node{"n1": {ID: "n1", Name: "n1", CPUs: 2, Memory: 1 << 30}, "n2": {ID: "n2", Name: "n2", CPUs: 2, Memory: 1 << 30}},
		services: map[string]api.ServiceDetail{name: {
			Service: api.Service{Service: name + "/web", Generation: 1}, Spec: spec(stacks-1, "v", 2),
		}},
		tasks:   []api.Task{wanted("a", 1, "n1"), wanted("b", 2, "n2")},
		running: []fleet.Container{runs("a", 1, n1), runs("b", 2, n2)},
	}
}

// watch shows the same picture for a while, twice a second.
func watch(p picture, d time.Duration) string {
	r := &Run{Fleet: &fleet.Fleet{Hosts: []*lab.Host{n1, n2}}}
	var begin time.Time
	for at := time.Duration(0); at <= d; at += lookEvery {
		r.always(p, begin.Add(at))
	}
	return strings.Join(r.report.Broken, "\n")
}

func TestObserverSeesWhatIsBroken(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*picture)
		after  time.Duration
		want   string // none: nothing is broken
	}{
		"all well": {func(*picture) {}, 5 * time.Minute, ""},
		"twice, for a while": {func(p *picture) {
			p.tasks = []api.Task{wanted("a", 1, "n1"), wanted("c", 1, "n2")}
			p.running[1] = runs("c", 1, n2)
		}, singleIn, ""},
		"twice": {func(p *picture) {
			p.tasks = []api.Task{wanted("a", 1, "n1"), wanted("c", 1, "n2")}
			p.running[1] = runs("c", 1, n2)
		}, singleIn + time.Second, "slot 1 of s2/web in generation 1 runs on n1 and on n2"},
		"orphan, for a while": {func(p *picture) { p.tasks = p.tasks[:1] }, orphanIn, ""},
		"orphan":              {func(p *picture) { p.tasks = p.tasks[:1] }, orphanIn + time.Second, "runs on n2, and no task of its is wanted there"},
		"one port on a host": {func(p *picture) {
			p.running = append(p.running, runs("d", 3, n1))
		}, 0, "containers of a and d run with port 8102/tcp of node n1"},
		"one port on a node": {func(p *picture) {
			p.tasks = append(p.tasks, wanted("d", 3, "n1"))
		}, 0, "port 8102/tcp of node n1 is held by a and d"},
		"too much on a node": {func(p *picture) {
			p.nodes["n1"] = api.Node{ID: "n1", Name: "n1", CPUs: 0.25, Memory: 1 << 30}
		}, 0, "node n1: "},
	} {
		p := well()
		c.change(&p)
		got := watch(p, c.after)
		if !strings.Contains(got, c.want) || c.want == "" && got != "" {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestPictureIsAsDesired(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*picture)
		want   string
	}{
		"all well":      {func(*picture) {}, ""},
		"gone":          {func(p *picture) { p.running = p.running[:1] }, `said to run on "n2" and runs on ""`},
		"elsewhere":     {func(p *picture) { p.running[1].Host = n1 }, `said to run on "n2" and runs on "n1"`},
		"left over":     {func(p *picture) { p.running = append(p.running, runs("c", 3, n1)) }, "task c runs on n1 and is not wanted"},
		"too few":       {func(p *picture) { p.tasks, p.running = p.tasks[:1], p.running[:1] }, "1 tasks, not 2"},
		"old":           {func(p *picture) { p.tasks[0].Generation = 0 }, "is of generation 0 of 1"},
		"being stopped": {func(p *picture) { p.tasks[0].Desired = "stopped" }, "to be stopped"},
	} {
		p := well()
		c.change(&p)
		if got := p.compare(2); !strings.Contains(got, c.want) || c.want == "" && got != "" {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
