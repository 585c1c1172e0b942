package top

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cli/paint"
	"github.com/musterhq/muster/cluster"
)

// column is one property of the rows of a list.
type column struct {
	title string
	right bool // aligned
	most  bool // sorted the most first
	rank  int  // the highest is left out first where it is narrow; 0: never
}

var columnsOf = [panes][]column{
	nodesPane: {
		{title: "NAME"},
		{title: "STATE"},
		{title: "AVAILABILITY", rank: 4},
		{title: "ROLE", rank: 2},
		{title: "CPU", most: true},
		{title: "CPU%", right: true, most: true, rank: 3},
		{title: "MEMORY", most: true},
		{title: "MEM%", right: true, most: true, rank: 3},
		{title: "TASKS", right: true, most: true, rank: 1},
		{title: "ADDRESS", rank: 5},
	},
	servicesPane: {
		{title: "SERVICE"},
		{title: "MODE", rank: 5},
		{title: "RUNNING", right: true},
		{title: "HEALTHY", right: true, rank: 2},
		{title: "CPU", right: true, most: true},
		{title: "MEMORY", right: true, most: true},
		{title: "IMAGE", rank: 3},
		{title: "PORTS", rank: 4},
		{title: "PROBLEM", rank: 1},
	},
	tasksPane: {
		{title: "TASK"},
		{title: "STATE"},
		{title: "NODE", rank: 1},
		{title: "CPU", right: true, most: true},
		{title: "MEMORY", right: true, most: true},
		{title: "RESTARTS", right: true, most: true, rank: 2},
		{title: "AGE", right: true, rank: 3},
		{title: "IMAGE", rank: 4},
		{title: "REASON", rank: 1},
	},
	eventsPane: {
		{title: "TIME", most: true},
		{title: "TYPE", rank: 2},
		{title: "NAME"},
		{title: "ACTION"},
		{title: "NODE", rank: 1},
		{title: "MESSAGE", rank: 1},
	},
}

var rowsOf = [panes]func(Model) []row{nodesPane: Model.nodeRows, servicesPane: Model.serviceRows, tasksPane: Model.taskRows, eventsPane: Model.eventRows}

func (m Model) nodeRows() []row {
	out := make([]row, len(m.snapshot.Nodes))
	for i, n := range m.snapshot.Nodes {
		cpu, cpuShare, mem, memShare := missing, missing, missing, missing
		cpu.text, mem.text = "-/"+cores(n.CPUs), "-/"+cluster.FormatBytes(n.Memory)
		if n.CPUUsed != nil {
			cpu = number(*n.CPUUsed, fmt.Sprintf("%.2f/%s", *n.CPUUsed, cores(n.CPUs)))
			cpuShare = share(*n.CPUUsed, n.CPUs)
		}
		if n.MemoryUsed != nil {
			mem = number(float64(*n.MemoryUsed), cluster.FormatBytes(*n.MemoryUsed)+"/"+cluster.FormatBytes(n.Memory))
			memShare = share(float64(*n.MemoryUsed), float64(n.Memory))
		}
		out[i] = row{id: n.ID, opens: "=" + n.Name, cells: []cell{
			word(n.Name), word(n.State).in(paint.State(n.State)), word(n.Availability), word(n.Role),
			cpu, cpuShare, mem, memShare, number(float64(n.Tasks), strconv.Itoa(n.Tasks)), word(n.Address),
		}}
	}
	return out
}

// share is a part of a whole, coloured when it is nearly all.
func share(part, whole float64) cell {
	if whole <= 0 {
		return missing
	}
	percent := 100 * part / whole
	c := number(percent, fmt.Sprintf("%.0f%%", percent))
	switch {
	case percent >= 90:
		c.style = paint.Red
	case percent >= 70:
		c.style = paint.Yellow
	}
	return c
}

func (m Model) serviceRows() []row {
	used := m.usedByService()
	out := make([]row, len(m.snapshot.Services))
	for i, s := range m.snapshot.Services {
		cpu, mem := usedCells(used[s.Service].cpu, used[s.Service].memory)
		health := paint.Plain
		if s.Running < s.Desired || s.Healthy < s.Desired {
			health = paint.Yellow
		}
		problem := s.Problem
		if s.Removing {
			problem = "is being removed"
		}
		out[i] = row{id: s.Service, opens: s.Service + ".", cells: []cell{
			word(s.Service), word(s.Mode),
			number(float64(s.Running), fmt.Sprintf("%d/%d", s.Running, s.Desired)).in(health),
			number(float64(s.Healthy), strconv.Itoa(s.Healthy)).in(health),
			cpu, mem, word(s.Image), word(cmp.Or(strings.Join(s.Ports, ", "), "-")), word(problem).in(paint.Red),
		}}
	}
	return out
}

// use is what the measured tasks of a service use together.
type use struct {
	cpu    *float64
	memory *int64
}

func (m Model) usedByService() map[string]use {
	out := map[string]use{}
	for _, t := range m.snapshot.Tasks {
		u := out[t.Service]
		u.cpu, u.memory = add(u.cpu, t.CPUUsed), add(u.memory, t.MemoryUsed)
		out[t.Service] = u
	}
	return out
}

// add is a sum in which what is not known does not count.
func add[N int64 | float64](a, b *N) *N {
	if a == nil || b == nil {
		return cmp.Or(a, b)
	}
	sum := *a + *b
	return &sum
}

func usedCells(cpu *float64, memory *int64) (c, m cell) {
	c, m = missing, missing
	if cpu != nil {
		c = number(*cpu, fmt.Sprintf("%.2f", *cpu))
	}
	if memory != nil {
		m = number(float64(*memory), cluster.FormatBytes(*memory))
	}
	return c, m
}

func (m Model) taskRows() []row {
	out := make([]row, len(m.snapshot.Tasks))
	for i, t := range m.snapshot.Tasks {
		cpu, mem := usedCells(t.CPUUsed, t.MemoryUsed)
		restarts := number(float64(t.Restarts), strconv.Itoa(t.Restarts))
		if t.Restarts > 0 {
			restarts.style = paint.Yellow
		}
		out[i] = row{id: t.ID, cells: []cell{
			word(fmt.Sprintf("%s.%d", t.Service, t.Slot)), word(t.State).in(paint.State(t.State)), word(cmp.Or(t.Node, "-")),
			cpu, mem, restarts, m.age(t.Created), word(t.Image), word(reason(t.Task)),
		}}
	}
	return out
}

func reason(t api.Task) string {
	if t.Error != "" && t.Reason != "" && t.Error != t.Reason {
		return t.Error + "; " + t.Reason
	}
	return cmp.Or(t.Error, t.Reason)
}

func (m Model) eventRows() []row {
	out := make([]row, len(m.snapshot.Events))
	for i, e := range m.snapshot.Events {
		at := e.At.Local().Format(time.TimeOnly)
		if m.now.Sub(e.At) >= 24*time.Hour {
			at = e.At.Local().Format("Jan _2")
		}
		out[i] = row{id: fmt.Sprintf("%d/%s/%s", e.Index, e.Object, e.Action), cells: []cell{
			number(float64(i), at), word(e.Type), word(cmp.Or(e.Name, e.Service, e.Object)), word(e.Action), word(cmp.Or(e.Node, "-")), word(e.Message),
		}}
	}
	return out
}

// age is how long ago something was made, in one unit.
func (m Model) age(t time.Time) cell {
	if t.IsZero() {
		return missing
	}
	d := max(m.now.Sub(t), 0)
	text := fmt.Sprintf("%dd", int(d.Hours()/24))
	switch {
	case d < time.Minute:
		text = fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		text = fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		text = fmt.Sprintf("%dh", int(d.Hours()))
	}
	return number(d.Seconds(), text)
}

func cores(n float64) string { return cluster.FormatCPU(int64(n * 1000)) }
