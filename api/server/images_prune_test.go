package server

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

func TestPruneGoesOverTheNodes(t *testing.T) {
	r := newRing(t, nil, "a", "b", "w", "x")
	for _, h := range r.hosts {
		up := state.UpdateNode(update(h))
		up.Commands = state.Version
		r.apply(up)
		h.engine.AddImage("old:" + h.name)
	}
	r.host("x").stop()
	prune := func(p api.PruneImages) (out []string) {
		t.Helper()
		for n, err := range r.host("w").client.PruneImages(t.Context(), p) {
			if err != nil {
				t.Fatal(err)
			}
			line := n.Node
			for _, i := range n.Images {
				line += " " + i.Name
			}
			if n.Error != "" {
				line += " failed"
			}
			out = append(out, line)
		}
		slices.Sort(out)
		return out
	}
	if d := cmp.Diff([]string{"b old:b"}, prune(api.PruneImages{All: true, DryRun: true, Nodes: []string{"b"}})); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"a", "b", "w", "x failed"}, prune(api.PruneImages{})); d != "" {
		t.Errorf("images that Muster did not bring: %s", d)
	}
	if d := cmp.Diff([]string{"a old:a", "b old:b", "w old:w", "x failed"}, prune(api.PruneImages{All: true})); d != "" {
		t.Error(d)
	}
	var history []string
	for e := range r.view().Events(0) {
		if e.Type == "image" {
			history = append(history, r.nameOf(e.Node)+" "+e.Action+" "+e.Object+": "+e.Message)
		}
	}
	slices.Sort(history)
	const why = ": nobody needs it and a user asked for it"
	if d := cmp.Diff([]string{"a removed old:a" + why, "b removed old:b" + why, "w removed old:w" + why}, history); d != "" {
		t.Errorf("events: %s", d)
	}
	for _, err := range r.host("a").client.PruneImages(t.Context(), api.PruneImages{Nodes: []string{"q"}}) {
		if err == nil || !strings.Contains(err.Error(), `there is no node "q"`) {
			t.Errorf("got %v", err)
		}
	}
}

func (r *ring) nameOf(id cluster.NodeID) string {
	for _, h := range r.hosts {
		if h.id == id {
			return h.name
		}
	}
	return string(id)
}
