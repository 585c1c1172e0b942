package api

import (
	"encoding/json"
	"flag"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/cluster"
)

// Scripts depend on these names: they are there in every answer, empty or not,
// and what is added later does not take them away.
func TestNamesThatScriptsReadAreKept(t *testing.T) {
	for _, tc := range []struct {
		verb     string
		value    any
		promised string
		more     string
	}{
		{
			"node ls",
			Node{},
			"id name address state availability role cpus memory cpu_used memory_used tasks", "",
		},
		{
			"ls",
			Service{},
			"service stack mode desired running healthy image generation", "ports",
		},
		{
			"ps",
			Task{},
			"id service slot node node_id state desired reason restarts image address ports container_id created updated error", "generation health exit_code",
		},
		{
			"status",
			Status{},
			"cluster_id leader voters nodes services tasks healthy stale problems", "",
		},
	} {
		t.Run(tc.verb, func(t *testing.T) {
			b, err := json.Marshal(tc.value)
			if err != nil {
				t.Fatal(err)
			}
			var got map[string]any
			if err := json.Unmarshal(b, &got); err != nil {
				t.Fatal(err)
			}
			want := append(strings.Fields(tc.promised), strings.Fields(tc.more)...)
			slices.Sort(want)
			if diff := cmp.Diff(want, slices.Sorted(maps.Keys(got))); diff != "" {
				t.Errorf("names (-want +got):\n%s", diff)
			}
		})
	}
}

// The form of the values is part of the contract, too: numbers are numbers,
// what nobody measured is null, times are RFC 3339.
func TestValuesThatScriptsRead(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	cpu, mem := 1.5, int64(1<<30)
	for _, tc := range []struct {
		value any
		want  string
	}{
		{
			Node{ID: "N", Name: "n1", Address: "10.0.0.1", State: "ready", Availability: "active", Role: "leader", CPUs: 4, Memory: 8 << 30, CPUUsed: &cpu, MemoryUsed: &mem, Tasks: 2},
			`{"id":"N","name":"n1","address":"10.0.0.1","state":"ready","availability":"active","role":"leader","cpus":4,"memory":8589934592,"cpu_used":1.5,"memory_used":1073741824,"tasks":2}`,
		},
		{
			Node{ID: "N"},
			`{"id":"N","name":"","address":"","state":"","availability":"","role":"","cpus":0,"memory":0,"cpu_used":null,"memory_used":null,"tasks":0}`,
		},
		{
			Service{Service: "shop/web", Stack: "shop", Mode: "replicated", Desired: 3, Running: 2, Healthy: 1, Image: "web:1", Generation: 4, Ports: []string{"80->80/tcp"}},
			`{"service":"shop/web","stack":"shop","mode":"replicated","desired":3,"running":2,"healthy":1,"image":"web:1","generation":4,"ports":["80-\u003e80/tcp"]}`,
		},
		{
			Task{ID: "T", Service: "shop/web", Slot: 1, Node: "n1", NodeID: "N", State: "running", Desired: "running", Restarts: 2, Image: "web:1", Address: "10.0.0.1", Ports: []cluster.PortBinding{{Target: 80, Host: 32768, Protocol: "tcp"}}, ContainerID: "c", Created: at, Updated: at, Generation: 4, Health: "healthy"},
			`{"id":"T","service":"shop/web","slot":1,"node":"n1","node_id":"N","state":"running","desired":"running","reason":"","restarts":2,"image":"web:1","address":"10.0.0.1","ports":[{"target":80,"host":32768,"protocol":"tcp"}],"container_id":"c","created":"2026-01-02T03:04:05Z","updated":"2026-01-02T03:04:05Z","error":"","generation":4,"health":"healthy","exit_code":0}`,
		},
		{
			Status{ClusterID: "C", Leader: "n1", Voters: []string{"n1"}, Nodes: 1, Healthy: true, Problems: []string{}},
			`{"cluster_id":"C","leader":"n1","voters":["n1"],"nodes":1,"services":0,"tasks":0,"healthy":true,"stale":false,"problems":[]}`,
		},
		{
			ErrorBody{Error: Errorf(CodeInvalid, "is empty").WithHint("give one")},
			`{"error":{"code":"invalid","message":"is empty","hint":"give one"}}`,
		},
	} {
		got, err := json.Marshal(tc.value)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tc.want, string(got)); diff != "" {
			t.Errorf("%T (-want +got):\n%s", tc.value, diff)
		}
	}
}

var update = flag.Bool("update", false, "write the golden file anew")

// What agents of different versions say to each other keeps its names: see the
// golden file, and add to it only.
func TestNamesBetweenNodes(t *testing.T) {
	var b strings.Builder
	for _, v := range []any{
		NodeJoin{},
		NodeJoined{},
		Renew{},
		Renewed{},
		Member{},
		Heartbeat{},
		Usage{},
		HeartbeatReply{},
		ObserveBatch{},
		TaskObserved{},
		Feed{},
		Assignment{},
		NodeUpdate{},
		Probe{},
		ProbeResult{},
		Promote{},
		NodeImage{},
		Resolved{},
		cluster.Node{},
		cluster.Task{},
		cluster.Observed{},
		cluster.PortBinding{},
		cluster.Template{},
		cluster.ContainerSpec{},
		cluster.Resources{},
		cluster.HostDevice{},
		cluster.DeviceRequest{},
		cluster.DeviceShare{},
	} {
		writeNames(&b, reflect.TypeOf(v))
	}
	const file = "testdata/node.golden"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("%s (-want +got); names were added? go test ./api -update\n%s", file, diff)
	}
}

// writeNames writes "api.Heartbeat: node usage? problems?", with a question
// mark where an empty value is left out.
func writeNames(b *strings.Builder, typ reflect.Type) {
	b.WriteString(typ.String() + ":")
	for i := range typ.NumField() {
		name, options, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
		if strings.HasPrefix(options, "omit") {
			name += "?"
		}
		b.WriteString(" " + name)
	}
	b.WriteString("\n")
}

func TestErrors(t *testing.T) {
	for code, status := range map[Code]int{
		CodeInvalid: 400, CodeUnauthorized: 401, CodeForbidden: 403, CodeRemoved: 403, CodeNotFound: 404, CodeConflict: 409,
		CodeNotMember: 409, CodeTooLarge: 413, CodeInternal: 500, CodeNoQuorum: 503, CodeUnavailable: 503, CodeUnknown: 504, "later": 500,
	} {
		if got := (&Error{Code: code}).Status(); got != status {
			t.Errorf("%s: HTTP %d, want %d", code, got, status)
		}
	}
	e := &Error{Code: CodeInvalid, Field: "ttl", Message: "is not a duration"}
	if got := e.WithHint("write 15m").Error(); got != "ttl: is not a duration; write 15m" {
		t.Errorf("got %q", got)
	}
	if e.Hint != "" {
		t.Error("WithHint changed the error that it was called on")
	}
}
