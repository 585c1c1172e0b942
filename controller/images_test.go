package controller

import (
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
	"github.com/musterhq/muster/placement"
)

func TestStock(t *testing.T) {
	s := newStock()
	s.put("a", api.HeldImages{"sha256:1": 10, "sha256:2": 20})
	s.put("b", api.HeldImages{"sha256:1": 11})
	tooMany := api.HeldImages{}
	for i := range api.MaxHeldImages + 1 {
		tooMany[string(rune(i))] = 1
	}
	s.put("c", tooMany)
	all := map[string]bool{"sha256:1": true, "sha256:2": true, "sha256:3": true, "\x00": true}
	want := map[string]placement.Image{
		"sha256:1": {Size: 11, On: map[cluster.NodeID]bool{"a": true, "b": true}},
		"sha256:2": {Size: 20, On: map[cluster.NodeID]bool{"a": true}},
	}
	if d := cmp.Diff(want, s.images(all)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	s.put("a", api.HeldImages{"sha256:3": 30})
	s.retain(func(n cluster.NodeID) bool { return n != "b" })
	if got := slices.Collect(maps.Keys(s.images(all))); !slices.Equal(got, []string{"sha256:3"}) || len(s.on) != 1 || len(s.told) != 1 {
		t.Errorf("after another word of a, and without b: %v; %+v", got, s)
	}
}

// large is an image of 1 GiB that the world's services run.
func large(hash string) *api.HeldImages { return &api.HeldImages{hash: 1 << 30} }

// A leader goes by what nodes say in their heartbeats, until they say otherwise.
func TestTasksGoWhereTheirImageIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLeader(t, newWorld(t, time.Now(), "a", "b", "c"))
		l.lead()
		synctest.Wait()
		for i, node := range []cluster.NodeID{"c", "b", "a"} {
			for _, id := range []cluster.NodeID{"a", "b", "c"} {
				told := &api.HeldImages{}
				if id == node {
					told = large("sha256:1")
				}
				l.Heartbeat(api.Heartbeat{Node: id, Images: told})
				l.Heartbeat(api.Heartbeat{Node: id}) // which says nothing new
			}
			name := string(rune('k' + i))
			l.store.commit(state.PutStack{Stack: name, Services: []state.NamedSpec{{Name: "web", Spec: spec(1, 0)}}})
			synctest.Wait()
			tasks := l.store.w.wanted(cluster.NewServiceID(name, "web"))
			if len(tasks) != 1 || tasks[0].Node != node {
				t.Errorf("%+v, want the task on %s, which has its image", tasks, node)
			}
		}
		facts := l.Facts()
		l.stop()
		if got := facts.Images(map[string]bool{"sha256:1": true}); len(got) != 0 {
			t.Errorf("after its term it says that nodes have %v", got)
		}
	})
}

func TestForecastSaysWhereImagesComeFrom(t *testing.T) {
	w := newWorld(t, t0, "a", "b", "c", "d")
	runs := func(image cluster.Image, on string) cluster.ServiceSpec {
		return spec(1, 500, constrained("node.hostname=="+on), func(s *cluster.ServiceSpec) { s.Template.Container.Image = image })
	}
	pulled, built := cluster.Image{Ref: "web:1", Digest: "web@sha256:1"}, cluster.Image{Ref: "app:dev", Digest: "sha256:2"}
	w.do(state.PutStack{Stack: "o", Services: []state.NamedSpec{{Name: "old", Spec: runs(pulled, "b")}, {Name: "down", Spec: runs(built, "d")}}})
	w.settle()
	w.do(state.Reconcile{Conditions: []state.NodeCondition{down("d")}})
	said := newStock()
	said.put("c", *large("sha256:1"))
	said.put("d", *large("sha256:1"))
	f := w.foretellBy(Facts{Images: said.images},
		state.NamedSpec{Name: "web", Spec: runs(pulled, "a")}, // which b runs, and c has by its word
		state.NamedSpec{Name: "there", Spec: runs(pulled, "b")},
		state.NamedSpec{Name: "said", Spec: runs(pulled, "c")},
		state.NamedSpec{Name: "app", Spec: runs(built, "a")}, // which none has that is up
		state.NamedSpec{Name: "new", Spec: runs(cluster.Image{Ref: "new:1", Digest: "new@sha256:3"}, "a")},
	)
	want := []api.PlannedImage{
		{Image: "app:dev", Nodes: []string{"a"}, Holders: []string{}},
		{Image: "new:1", Nodes: []string{"a"}, Registry: true, Holders: []string{}},
		{Image: "web:1", Nodes: []string{"a"}, Size: 1 << 30, Registry: true, Holders: []string{"b", "c"}},
	}
	if d := cmp.Diff(want, f.Images); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
