package placement

import (
	"fmt"
	"strings"
	"testing"

	"github.com/musterhq/muster/cluster"
)

// imaged has the service run an image that the given nodes have; size is in MiB.
func (w *world) imaged(id cluster.ServiceID, size int64, edit func(*cluster.ServiceSpec), on ...cluster.NodeID) (Snapshot, []Request) {
	w.t.Helper()
	w.service(id, func(s *cluster.ServiceSpec) {
		s.Template.Container.Image = cluster.Image{Ref: "web:1", Digest: "web@sha256:1"}
		if edit != nil {
			edit(s)
		}
	})
	image := Image{Size: size * mib, On: map[cluster.NodeID]bool{}}
	for _, n := range on {
		image.On[n] = true
	}
	snap := FromView(w.st.View(), nil)
	return snap.Images(map[string]Image{"sha256:1": image}), w.requests()
}

// A node that has the image is the better place, by as much as there is to fetch.
func TestImagesAreWishes(t *testing.T) {
	for name, tt := range map[string]struct {
		size int64 // MiB
		full int64 // what n1, which has the image, holds already, in hundredths
		want string
	}{
		"equal nodes":                 {1024, 0, "n1"},
		"a small image":               {52, 0, "n1"},
		"fuller":                      {1024, 9, "n1"},
		"too full":                    {1024, 11, "n2"},
		"huge, and too full":          {100 << 10, 11, "n2"},
		"small, fuller":               {512, 4, "n1"},
		"small, too full":             {512, 6, "n2"},
		"empty":                       {0, 1, "n2"},
		"of a size less than nothing": {-1024, 1, "n2"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, named("n1", "n2")...)
			if tt.full > 0 {
				w.service("o/big", memory(4*gib*tt.full/100))
				w.task("o/big", on("n1"))
			}
			w.imaged(web, 0, func(s *cluster.ServiceSpec) { s.Placement.Policy = cluster.PolicySpread })
			w.task(web)
			snap, reqs := w.imaged(web, tt.size, func(s *cluster.ServiceSpec) { s.Placement.Policy = cluster.PolicySpread }, "n1", "gone")
			p := Place(snap, reqs, 1)
			if got := w.nodesOf(p); got[0] != tt.want {
				t.Errorf("on %v, want %s: %s", got, tt.want, p.Assign[0].Text())
			}
		})
	}
}

// However large the image, a service is spread over nodes and domains.
func TestImagesDoNotDefeatSpreading(t *testing.T) {
	for i := range policies {
		if !policies[i].apart || policies[i].name == cluster.PolicyFixed {
			continue
		}
		w := newWorld(t, zoned("n1", "a", "n2", "a", "n3", "b")...)
		spec := func(s *cluster.ServiceSpec) {
			s.Placement.Policy, s.Preferences = policies[i].name, []string{"node.labels.zone"}
		}
		w.imaged(web, 0, spec)
		for range 8 {
			w.task(web)
		}
		snap, reqs := w.imaged(web, 1<<20, spec, "n1")
		if got := counts(Place(snap, reqs, 1)); got["n1"] != 2 || got["n2"] != 2 || got["n3"] != 4 {
			t.Errorf("%s: tasks a node %v, want each zone to have as many, and each node of it", policies[i].name, got)
		}
	}
}

func TestWhyTellsWhatIsToBeFetched(t *testing.T) {
	w := newWorld(t, named("n1", "n2")...)
	w.imaged(web, 0, nil)
	w.task(web)
	snap, reqs := w.imaged(web, 512, nil, "n2")
	a := Why(snap, reqs[0], "", 1)
	first, second := a.Candidates[0], a.Candidates[1]
	if first.Node.Name != "n2" || first.Why.Fetch != 0 || strings.Contains(first.Why.String(), "fetch") {
		t.Errorf("first is %s: %s", first.Node.Name, first.Why)
	}
	if want := "image to fetch 5.00%, 0 tasks"; second.Why.Fetch != 50_000 || !strings.HasSuffix(second.Why.String(), want) {
		t.Errorf("the second: %s, want %s at the end", second.Why, want)
	}
	if second.Lost != (Loss{Part: PartCost, By: 50_000}) {
		t.Errorf("lost by %+v", second.Lost)
	}
	text := Place(snap, reqs, 1).Assign[0].Text()
	if want := "second n1, by 5.00% of cost"; !strings.HasSuffix(text, want) {
		t.Errorf("%q, want %q at the end", text, want)
	}
}

func TestAnImageThatNobodyHasCostsNobody(t *testing.T) {
	w := newWorld(t, named("n1", "n2")...)
	w.imaged(web, 0, nil)
	w.task(web)
	for name, snap := range map[string]Snapshot{"not told": FromView(w.st.View(), nil), "another": func() Snapshot {
		s := FromView(w.st.View(), nil)
		return s.Images(map[string]Image{"sha256:2": {Size: gib, On: map[cluster.NodeID]bool{"n1": true}}})
	}()} {
		for _, c := range Why(snap, w.requests()[0], "", 1).Candidates {
			if c.Why.Fetch != 0 {
				t.Errorf("%s: %s pays %s", name, c.Node.Name, fmt.Sprint(c.Why))
			}
		}
	}
}
