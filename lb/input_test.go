package lb

import (
	"encoding/json"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

var _ View = state.View{}

type fakeView struct {
	nodes    []*cluster.Node
	services []*cluster.Service
	tasks    []*cluster.Task
}

func (fakeView) Epoch() uint64                    { return 3 }
func (fakeView) Index() uint64                    { return 42 }
func (v fakeView) Nodes() iter.Seq[*cluster.Node] { return slices.Values(v.nodes) }
func (v fakeView) Networks() iter.Seq[*cluster.Network] {
	return slices.Values([]*cluster.Network(nil))
}
func (v fakeView) Settings() cluster.Settings           { return cluster.Settings{} }
func (v fakeView) Services() iter.Seq[*cluster.Service] { return slices.Values(v.services) }

func (v fakeView) TasksOf(id cluster.ServiceID) iter.Seq[*cluster.Task] {
	return func(yield func(*cluster.Task) bool) {
		for _, t := range v.tasks {
			if t.Service == id && !yield(t) {
				return
			}
		}
	}
}

func publishing(id cluster.ServiceID, age int, ports ...cluster.Port) *cluster.Service {
	return &cluster.Service{
		ID: id, Generation: 1, Created: time.Unix(int64(1000-age), 0),
		Spec: cluster.ServiceSpec{Template: cluster.Template{Ports: ports}},
	}
}

// to is an endpoint whose port in the container is known.
func to(target uint16, e Endpoint) Endpoint {
	e.Target = target
	return e
}

func ingress(published, target uint16) cluster.Port {
	return cluster.Port{Published: published, Target: target, Protocol: TCP, Mode: cluster.Ingress}
}

// running is a ready task of shop/web on N1 whose port 80 is bound at host port 40001.
func running(id cluster.TaskID, change ...func(*cluster.Task)) *cluster.Task {
	t := &cluster.Task{
		ID: id, Service: "shop/web", Slot: 1, Generation: 1, Node: "N1", Desired: cluster.Running,
		Observed: cluster.Observed{
			Phase: cluster.PhaseRunning, Address: "10.0.0.1",
			Ports: []cluster.PortBinding{{Target: 80, Host: 40001, Protocol: TCP}},
		},
	}
	for _, c := range change {
		c(t)
	}
	return t
}

func TestFromViewTakesReadyTasksOnLivingHosts(t *testing.T) {
	tests := map[string]struct {
		change func(*cluster.Task)
		want   bool
	}{
		"running":                     {func(*cluster.Task) {}, true},
		"healthy":                     {func(t *cluster.Task) { t.Observed.Health = cluster.HealthHealthy }, true},
		"host away":                   {func(t *cluster.Task) { t.Node = "N2" }, true},
		"old generation, not kept":    {func(t *cluster.Task) { t.Generation = 9 }, true},
		"host down":                   {func(t *cluster.Task) { t.Node = "N3" }, false},
		"host unknown":                {func(t *cluster.Task) { t.Node = "N4" }, false},
		"not placed":                  {func(t *cluster.Task) { t.Node = "" }, false},
		"to be stopped":               {func(t *cluster.Task) { t.Desired = cluster.Stopped }, false},
		"starting":                    {func(t *cluster.Task) { t.Observed.Phase = cluster.PhaseStarting }, false},
		"restarting":                  {func(t *cluster.Task) { t.Observed.Phase = cluster.PhaseBackoff }, false},
		"exited":                      {func(t *cluster.Task) { t.Observed.Phase = cluster.PhaseExited }, false},
		"first check is not in yet":   {func(t *cluster.Task) { t.Observed.Health = cluster.HealthStarting }, false},
		"unhealthy":                   {func(t *cluster.Task) { t.Observed.Health = cluster.HealthUnhealthy }, false},
		"no address":                  {func(t *cluster.Task) { t.Observed.Address = "" }, false},
		"a name for an address":       {func(t *cluster.Task) { t.Observed.Address = "host-1" }, false},
		"no binding":                  {func(t *cluster.Task) { t.Observed.Ports = nil }, false},
		"another target is bound":     {func(t *cluster.Task) { t.Observed.Ports[0].Target = 81 }, false},
		"the target is bound for udp": {func(t *cluster.Task) { t.Observed.Ports[0].Protocol = "udp" }, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			v := fakeView{
				nodes: []*cluster.Node{
					{ID: "N1", Condition: cluster.Ready}, {ID: "N2", Condition: cluster.Away}, {ID: "N3", Condition: cluster.Down},
				},
				services: []*cluster.Service{publishing("shop/web", 0, ingress(8080, 80))},
				tasks:    []*cluster.Task{running("T1", tt.change)},
			}
			in := FromView(v)
			want := Input{
				Epoch: 3, Index: 42, Down: []cluster.NodeID{"N3"},
				Services: []ServicePorts{{Service: "shop/web", Ports: []Port{tcp(8080)}}},
			}
			if tt.want {
				want.Endpoints = []Endpoint{to(80, endpoint("shop/web", 8080, "T1", v.tasks[0].Node, "10.0.0.1:40001"))}
				want.Endpoints[0].Checked = name == "healthy"
			}
			if diff := cmp.Diff(want, in, compare); diff != "" {
				t.Errorf("input (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFromViewPublishesIngressOnly(t *testing.T) {
	udp, host := ingress(53, 53), ingress(81, 80)
	udp.Protocol, host.Mode = "udp", cluster.HostPort
	removed := publishing("shop/gone", 9, ingress(82, 80))
	removed.Removing = true
	v := fakeView{services: []*cluster.Service{
		publishing("shop/none", 5), removed,
		publishing("shop/web", 1, udp, host, ingress(0, 80), ingress(80, 80), ingress(8080, 80)),
	}}
	want := []ServicePorts{{Service: "shop/web", Ports: []Port{{Protocol: UDP, Number: 53}, tcp(80), tcp(8080)}}}
	if diff := cmp.Diff(want, FromView(v).Services, compare); diff != "" {
		t.Errorf("services (-want +got):\n%s", diff)
	}
}

func TestFromViewLetsTheOldestServiceKeepThePort(t *testing.T) {
	v := fakeView{services: []*cluster.Service{
		publishing("a/new", 1, ingress(80, 80)),
		publishing("b/old", 2, ingress(80, 80)),
		publishing("c/old", 2, ingress(80, 80)),
	}}
	table := Build(FromView(v))
	want := []Conflict{{tcp(80), "c/old", "b/old"}, {tcp(80), "a/new", "b/old"}}
	if diff := cmp.Diff(want, table.Conflicts); diff != "" {
		t.Errorf("conflicts (-want +got):\n%s", diff)
	}
}

func TestFromViewDuringAnUpdateUsesEachGenerationsTarget(t *testing.T) {
	s := publishing("shop/web", 0, ingress(80, 8080))
	s.Generation = 2
	s.History = []cluster.Generation{{Number: 1, Template: cluster.Template{Ports: []cluster.Port{ingress(80, 80)}}}}
	v := fakeView{
		nodes:    []*cluster.Node{{ID: "N1", Condition: cluster.Ready}},
		services: []*cluster.Service{s},
		tasks: []*cluster.Task{running("T1"), running("T2", func(t *cluster.Task) {
			t.Generation = 2
			t.Observed.Ports = []cluster.PortBinding{{Target: 8080, Host: 40002, Protocol: TCP}}
		})},
	}
	want := []Endpoint{
		to(80, endpoint("shop/web", 80, "T1", "N1", "10.0.0.1:40001")),
		to(8080, endpoint("shop/web", 80, "T2", "N1", "10.0.0.1:40002")),
	}
	if diff := cmp.Diff(want, FromView(v).Endpoints, compare); diff != "" {
		t.Errorf("endpoints (-want +got):\n%s", diff)
	}
}

func TestFromViewOfARedirectedService(t *testing.T) {
	a, b := publishing("s/a", 1, ingress(80, 80), ingress(81, 81)), publishing("s/b", 0, ingress(9000, 80))
	a.Redirect = "s/b"
	v := fakeView{
		nodes:    []*cluster.Node{{ID: "N1", Condition: cluster.Ready}},
		services: []*cluster.Service{a, b},
		tasks: []*cluster.Task{
			running("T1", func(t *cluster.Task) { t.Service = "s/a" }),
			running("T2", func(t *cluster.Task) { t.Service = "s/b" }),
		},
	}
	want := []Endpoint{
		to(80, endpoint("s/a", 80, "T2", "N1", "10.0.0.1:40001")),
		to(80, endpoint("s/a", 81, "T2", "N1", "10.0.0.1:40001")), // whose only port it is
		to(80, endpoint("s/b", 9000, "T2", "N1", "10.0.0.1:40001")),
	}
	if diff := cmp.Diff(want, FromView(v).Endpoints, compare); diff != "" {
		t.Errorf("endpoints (-want +got):\n%s", diff)
	}
	a.Redirect = "s/gone"
	if got := FromView(v).Endpoints; len(got) == 0 || got[0].Task != "T1" {
		t.Errorf("redirected to nobody it has %v", got)
	}
}

func TestInputSurvivesTheWire(t *testing.T) {
	codecs := map[string]struct {
		enc func(any) ([]byte, error)
		dec func([]byte, any) error
	}{
		"cbor": {cbor.Marshal, cbor.Unmarshal},
		"json": {json.Marshal, json.Unmarshal},
	}
	for name, codec := range codecs {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				in := inputs().Draw(t, "in")
				b, err := codec.enc(in)
				if err != nil {
					t.Fatal(err)
				}
				var out Input
				if err := codec.dec(b, &out); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(in, out, compare); diff != "" {
					t.Fatalf("input (-sent +received):\n%s", diff)
				}
			})
		})
	}
}
