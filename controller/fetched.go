package controller

import (
	"slices"
	"strings"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
	"github.com/musterhq/muster/placement"
)

// fetches are the images that the nodes of new tasks lack.
type fetches struct {
	said map[string]placement.Image         // by nodes, up to a minute ago
	runs map[string]map[cluster.NodeID]bool // by hash: nodes with tasks of the image
	out  []api.PlannedImage
}

// fetched are those of the stack's tasks that a view has more than the one before.
func (f *forecast) fetched(v state.View) []api.PlannedImage {
	type arrival struct {
		image cluster.Image
		node  cluster.NodeID
	}
	var all []arrival
	hashes := map[string]bool{}
	for s := range v.StackServices(f.stack) {
		for t := range v.TasksOf(s.ID) {
			if _, old := f.before.Task(t.ID); old || t.Node == "" || !wanted(t) {
				continue
			}
			if tpl, ok := s.Template(t.Generation); ok {
				image := tpl.Container.Image
				if hash := image.Hash(); hash != "" {
					hashes[hash] = true
				}
				all = append(all, arrival{image, t.Node})
			}
		}
	}
	held := fetches{runs: runners(f.before, hashes), out: []api.PlannedImage{}}
	if f.images != nil {
		held.said = f.images(hashes)
	}
	for _, a := range all {
		if !held.has(a.node, a.image.Hash()) {
			held.note(f.before, a.image, nodeName(v, a.node))
		}
	}
	return held.out
}

// runners finds the nodes that have tasks of images.
func runners(v state.View, hashes map[string]bool) map[string]map[cluster.NodeID]bool {
	out := map[string]map[cluster.NodeID]bool{}
	for hash := range hashes {
		out[hash] = map[cluster.NodeID]bool{}
	}
	for s := range v.Services() {
		for generation, hash := range versions(s) {
			if !hashes[hash] {
				continue
			}
			for t := range v.TasksOf(s.ID) {
				if t.Generation == generation && t.Node != "" {
					out[hash][t.Node] = true
				}
			}
		}
	}
	return out
}

func (f *fetches) has(node cluster.NodeID, hash string) bool {
	return f.said[hash].On[node] || f.runs[hash][node]
}

func (f *fetches) note(before state.View, image cluster.Image, node string) {
	i := slices.IndexFunc(f.out, func(p api.PlannedImage) bool { return p.Image == image.Ref })
	if i < 0 {
		i = len(f.out)
		f.out = append(f.out, api.PlannedImage{
			Image: image.Ref, Size: f.said[image.Hash()].Size, Registry: strings.Contains(image.Digest, "@"), Holders: f.holders(before, image.Hash()),
		})
	}
	if p := &f.out[i]; !slices.Contains(p.Nodes, node) {
		p.Nodes = append(p.Nodes, node)
	}
}

// holders are names of ready nodes that have the image.
func (f *fetches) holders(v state.View, hash string) []string {
	out := []string{}
	for n := range v.Nodes() {
		if n.Condition == cluster.Ready && len(out) < api.MaxHolders && f.has(n.ID, hash) {
			out = append(out, n.Name)
		}
	}
	return out
}
