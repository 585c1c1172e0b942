package agent

import (
	"github.com/musterhq/muster/agent/metrics"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// sample is what this node's metrics show.
func (m *member) sample() metrics.Sample {
	s := metrics.Sample{Node: m.a.name, Version: m.a.version, Leads: m.LeaderID() == m.self, Containers: map[string]int{}}
	for _, c := range m.worker.Snapshot().Containers {
		s.Containers[string(c.Status)]++
	}
	if v := m.voter.Load(); v != nil {
		view := v.store.View()
		index := view.Index()
		s.Applied = &index
		if s.Leads {
			s.Nodes, s.Tasks = countOf(view)
		}
	}
	for _, t := range m.traffic.Stats() {
		s.Traffic = append(s.Traffic, metrics.Traffic{
			Service: string(t.Service), Connections: t.Connections, Open: t.Active, Unserved: t.Unserved, Shed: t.Shed,
			Failures: t.DialFailures, BytesIn: t.BytesIn, BytesOut: t.BytesOut,
		})
	}
	return s
}

// countOf counts nodes and the tasks that are wanted, by state.
func countOf(v state.View) (nodes, tasks map[string]int) {
	nodes, tasks = map[string]int{}, map[string]int{}
	for n := range v.Nodes() {
		nodes[string(n.Condition)]++
	}
	for t := range v.Tasks() {
		if t.Desired == cluster.Running {
			tasks[string(cluster.TaskState(t, v.Condition(t.Node)))]++
		}
	}
	return nodes, tasks
}
