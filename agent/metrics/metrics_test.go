package metrics

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func scrape(t *testing.T, s Sample) []string {
	t.Helper()
	w := httptest.NewRecorder()
	Handler(func() Sample { return s }).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if got := w.Header().Get("Content-Type"); w.Code != 200 || !strings.HasPrefix(got, "text/plain; version=0.0.4") {
		t.Fatalf("HTTP %d, %s", w.Code, got)
	}
	var out []string
	process := false
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, "muster_") {
			out = append(out, strings.TrimSpace(line))
		}
		process = process || strings.HasPrefix(line, "process_open_fds ")
	}
	if !process {
		t.Error("the process does not show what it uses")
	}
	return out
}

func TestMetrics(t *testing.T) {
	index := uint64(42)
	got := scrape(t, Sample{
		Node: "n1", Version: "v1", Leads: true, Applied: &index,
		Nodes: map[string]int{"ready": 3}, Tasks: map[string]int{"running": 5, "pending": 1}, Containers: map[string]int{"running": 2},
		Traffic: []Traffic{{Service: `shop/"web"`, Connections: 7, Open: 6, Unserved: 5, Shed: 4, Failures: 3, BytesIn: 2, BytesOut: 1}},
	})
	want := []string{
		`muster_backend_failures_total{service="shop/\"web\""} 3`,
		`muster_connections_open{service="shop/\"web\""} 6`,
		`muster_connections_shed_total{service="shop/\"web\""} 4`,
		`muster_connections_total{service="shop/\"web\""} 7`,
		`muster_connections_unserved_total{service="shop/\"web\""} 5`,
		`muster_containers{status="running"} 2`,
		`muster_leader 1`,
		`muster_node_info{node="n1",version="v1"} 1`,
		`muster_nodes{state="ready"} 3`,
		`muster_raft_applied_index 42`,
		`muster_received_bytes_total{service="shop/\"web\""} 2`,
		`muster_sent_bytes_total{service="shop/\"web\""} 1`,
		`muster_tasks{state="pending"} 1`,
		`muster_tasks{state="running"} 5`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestMetricsOfAWorker(t *testing.T) {
	want := []string{`muster_leader 0`, `muster_node_info{node="n2",version="v1"} 1`}
	if d := cmp.Diff(want, scrape(t, Sample{Node: "n2", Version: "v1"})); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
