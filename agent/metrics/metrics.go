package metrics

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Sample is what an agent knows at one moment. Nil parts are not exported.
type Sample struct {
	Node, Version string
	Leads         bool
	Applied       *uint64        // index of the log that is applied here; nil: this node has no log
	Nodes, Tasks  map[string]int // of the cluster, by state; from its leader alone
	Containers    map[string]int // on this host, by status
	Traffic       []Traffic
}

// Traffic is a service's through this node, since this node began to serve it.
type Traffic struct {
	Service     string
	Connections uint64
	Open        int64
	Unserved    uint64 // closed because no task took them
	Shed        uint64 // closed because there were too many
	Failures    uint64 // of attempts at single tasks
	BytesIn     uint64 // client to task
	BytesOut    uint64
}

// Handler answers with what look finds, and with what the process itself uses.
func Handler(look func() Sample) http.Handler {
	r := prometheus.NewRegistry()
	r.MustRegister(collector{look}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{})
}

type collector struct{ look func() Sample }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("muster_"+name, help, labels, nil)
}

var (
	info       = desc("node_info", "The node and the version of its agent.", "node", "version")
	leads      = desc("leader", "1 on the node that leads the cluster.")
	applied    = desc("raft_applied_index", "Index of the replicated log that is applied here.")
	nodes      = desc("nodes", "Nodes of the cluster, from its leader.", "state")
	tasks      = desc("tasks", "Tasks that are wanted in the cluster, from its leader.", "state")
	containers = desc("containers", "Containers of the cluster on this host.", "status")
)

// traffic are the metrics of a service.
var traffic = []struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(Traffic) float64
}{
	{desc("connections_total", "Connections to published ports of the service, and UDP sessions.", "service"), prometheus.CounterValue, func(t Traffic) float64 { return float64(t.Connections) }},
	{desc("connections_open", "Connections that are open.", "service"), prometheus.GaugeValue, func(t Traffic) float64 { return float64(t.Open) }},
	{desc("connections_unserved_total", "Connections that were closed because no task took them.", "service"), prometheus.CounterValue, func(t Traffic) float64 { return float64(t.Unserved) }},
	{desc("connections_shed_total", "Connections that were closed because there were too many.", "service"), prometheus.CounterValue, func(t Traffic) float64 { return float64(t.Shed) }},
	{desc("backend_failures_total", "Attempts at single tasks that failed.", "service"), prometheus.CounterValue, func(t Traffic) float64 { return float64(t.Failures) }},
	{desc("received_bytes_total", "Bytes from clients to tasks.", "service"), prometheus.CounterValue, func(t Traffic) float64 { return float64(t.BytesIn) }},
	{desc("sent_bytes_total", "Bytes from tasks to clients.", "service"), prometheus.CounterValue, func(t Traffic) float64 { return float64(t.BytesOut) }},
}

// Describe implements prometheus.Collector.
func (c collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{info, leads, applied, nodes, tasks, containers} {
		out <- d
	}
	for _, m := range traffic {
		out <- m.desc
	}
}

// Collect implements prometheus.Collector.
func (c collector) Collect(out chan<- prometheus.Metric) {
	s := c.look()
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	gauge(info, 1, s.Node, s.Version)
	leading := 0.0
	if s.Leads {
		leading = 1
	}
	gauge(leads, leading)
	if s.Applied != nil {
		gauge(applied, float64(*s.Applied))
	}
	for d, counts := range map[*prometheus.Desc]map[string]int{nodes: s.Nodes, tasks: s.Tasks, containers: s.Containers} {
		for label, n := range counts {
			gauge(d, float64(n), label)
		}
	}
	for _, t := range s.Traffic {
		for _, m := range traffic {
			out <- prometheus.MustNewConstMetric(m.desc, m.kind, m.value(t), t.Service)
		}
	}
}
