package server

import (
	"testing"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

const id1 = "01JAAAAAAAAAAAAAAAAAAAAAA1"

// simulated is a cluster of one node with a stack.
func simulated(t *testing.T) state.View {
	t.Helper()
	st := state.New()
	at := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	for i, b := range []state.Body{
		state.Init{Identity: cluster.Identity{ID: "C", Epoch: 1}, Node: cluster.Node{ID: id1, Name: "n1"}},
		state.PutStack{Stack: "shop", Services: []state.NamedSpec{{Name: "web", Spec: cluster.ServiceSpec{
			Mode: cluster.Replicated, Replicas: 1,
			Template: cluster.Template{Container: cluster.ContainerSpec{Image: cluster.Image{Ref: "web:1", Digest: "sha256:1"}}},
		}}}},
	} {
		if res := st.Apply(uint64(i+1), state.Command{At: at, Body: b}); res.Err != nil {
			t.Fatal(res.Err)
		}
	}
	return st.View()
}

func TestScenario(t *testing.T) {
	v := simulated(t)
	spec := func(ref string) *api.SimulatedStack {
		return &api.SimulatedStack{Stack: "shop", Services: []api.NamedSpec{{Name: "web", Spec: cluster.ServiceSpec{
			Mode: cluster.Replicated, Replicas: 2, Template: cluster.Template{Container: cluster.ContainerSpec{Image: cluster.Image{Ref: ref}}},
		}}}}
	}
	do, down, err := Scenario(v, api.Simulate{
		Kill: []string{"n1"}, Drain: []string{id1}, Deploy: spec("web:1"),
		Add: []api.SimulatedHosts{{Count: 2, CPUs: 0.5, Memory: 1 << 30, Labels: map[string]string{"zone": "b"}}},
	})
	if err != nil || len(down) != 1 || down[0] != id1 {
		t.Fatalf("down %v, %v", down, err)
	}
	scratch := v.Fork()
	for _, b := range do {
		if res := scratch.Apply(scratch.View().Index()+1, state.Command{At: v.Now(), Body: b}); res.Err != nil {
			t.Fatalf("%T: %v", b, res.Err)
		}
	}
	after := scratch.View()
	if n, _ := after.Node("new-1"); after.NodeCount() != 3 || n.Capacity.MilliCPU != 500 || n.Labels["zone"] != "b" {
		t.Errorf("%d nodes, one new: %+v", after.NodeCount(), n)
	}
	if n, _ := after.Node(id1); n.Availability != cluster.Drained {
		t.Errorf("n1 is %s", n.Availability)
	}
	if s, _ := after.Service("shop/web"); s.Generation != 1 || s.Spec.Replicas != 2 {
		t.Errorf("an image of the same reference makes generation %d with %d replicas", s.Generation, s.Spec.Replicas)
	}
	do, _, err = Scenario(v, api.Simulate{Deploy: spec("web:2")})
	if err != nil || do[0].(state.PutStack).Services[0].Spec.Template.Container.Image.Digest != "" {
		t.Errorf("another reference keeps the digest: %+v, %v", do, err)
	}
}

func TestScenariosThatMakeNoSense(t *testing.T) {
	v := simulated(t)
	for name, in := range map[string]api.Simulate{
		"an unknown node dies":    {Kill: []string{"n9"}},
		"an unknown node drained": {Drain: []string{"n9"}},
		"no CPU":                  {Add: []api.SimulatedHosts{{Count: 1, Memory: 1}}},
		"no memory":               {Add: []api.SimulatedHosts{{Count: 1, CPUs: 1}}},
		"negative":                {Add: []api.SimulatedHosts{{Count: 1, CPUs: -1, Memory: 1}}},
		"far too many cores":      {Add: []api.SimulatedHosts{{Count: 1, CPUs: 1e300, Memory: 1}}},
		"none":                    {Add: []api.SimulatedHosts{{CPUs: 1, Memory: 1}}},
		"too many":                {Add: []api.SimulatedHosts{{Count: 600, CPUs: 1, Memory: 1}, {Count: 600, CPUs: 1, Memory: 1}}},
		"a bad label":             {Add: []api.SimulatedHosts{{Count: 1, CPUs: 1, Memory: 1, Labels: map[string]string{"a b": "c"}}}},
		"a bad stack":             {Deploy: &api.SimulatedStack{Stack: "../x"}},
	} {
		if do, _, err := Scenario(v, in); err == nil {
			t.Errorf("%s: %+v", name, do)
		}
	}
}
