package placement

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/cluster"
)

func image(digest string) func(*cluster.ServiceSpec) {
	return func(s *cluster.ServiceSpec) { s.Template.Container.Image = cluster.Image{Ref: "web:1", Digest: digest} }
}

func TestStandbyIsWhereTheTasksWouldGo(t *testing.T) {
	w := newWorld(t, named("n1", "n2", "n3", "n4", "n5")...)
	w.service("o/big", memory(3*gib))
	w.task("o/big", on("n3"))
	w.service(web, image("web@sha256:1"))
	w.task(web, on("n1"))
	w.task(web, on("n1"))
	w.task(web, on("n2"))
	got := Standby(w.st.View(), nil, 2)
	w.task(web) // as if one was lost
	at := cluster.NodeID(w.nodesOf(w.plan("n1"))[0])
	if d := cmp.Diff([]string{"web@sha256:1"}, got[at]); d != "" {
		t.Errorf("the task goes to %s, standby is %v", at, got)
	}
	if len(got) > 2 || got["n1"] != nil || got["n2"] != nil || got["n3"] != nil {
		t.Errorf("standby is %v; hosts of the service have the image, and n3 is nearly full", got)
	}
}

func TestStandbyKeepsToWhatTasksAreBoundTo(t *testing.T) {
	w := newWorld(t, zoned("n1", "a", "n2", "a", "n3", "b", "n4", "a")...)
	w.service(web, func(s *cluster.ServiceSpec) {
		image("web@sha256:1")(s)
		s.Template.Constraints = []string{"node.labels.zone==a"}
	})
	w.task(web, on("n1"))
	for id := range Standby(w.st.View(), map[cluster.NodeID]bool{"n4": true}, 9) {
		if id != "n2" {
			t.Errorf("%s may not take the task", id)
		}
	}
	w.service("g/all", func(s *cluster.ServiceSpec) { image("all@sha256:1")(s); s.Mode = cluster.Global })
	w.task("g/all", on("n1"))
	for id, images := range Standby(w.st.View(), nil, 1) {
		if d := cmp.Diff([]string{"web@sha256:1"}, images); d != "" {
			t.Errorf("%s: %s", id, d)
		}
	}
}
