package controller

import (
	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
	"github.com/musterhq/muster/placement"
)

// stock is which images the nodes said that they have.
type stock struct {
	told map[cluster.NodeID]api.HeldImages
	on   map[string]map[cluster.NodeID]int64 // sizes, by hash
}

func newStock() *stock {
	return &stock{told: map[cluster.NodeID]api.HeldImages{}, on: map[string]map[cluster.NodeID]int64{}}
}

// put takes a node's word in the place of its last one, unless it is too long.
func (s *stock) put(node cluster.NodeID, images api.HeldImages) {
	if len(images) > api.MaxHeldImages {
		return
	}
	for hash := range s.told[node] {
		if delete(s.on[hash], node); len(s.on[hash]) == 0 {
			delete(s.on, hash)
		}
	}
	s.told[node] = images
	for hash, size := range images {
		if s.on[hash] == nil {
			s.on[hash] = map[cluster.NodeID]int64{}
		}
		s.on[hash][node] = size
	}
}

// retain drops the word of nodes that are gone.
func (s *stock) retain(there func(cluster.NodeID) bool) {
	for node := range s.told {
		if !there(node) {
			s.put(node, nil)
			delete(s.told, node)
		}
	}
}

// images are those of the given hashes that some node has.
func (s *stock) images(hashes map[string]bool) map[string]placement.Image {
	out := map[string]placement.Image{}
	for hash := range hashes {
		if len(s.on[hash]) == 0 {
			continue
		}
		image := placement.Image{On: map[cluster.NodeID]bool{}}
		for node, size := range s.on[hash] {
			image.On[node], image.Size = true, max(image.Size, size)
		}
		out[hash] = image
	}
	return out
}

// of is what nodes have of the images with the given hashes.
func (s *stock) of(hashes map[string]bool) map[cluster.NodeID]api.HeldImages {
	out := map[cluster.NodeID]api.HeldImages{}
	for hash := range hashes {
		for node, size := range s.on[hash] {
			if out[node] == nil {
				out[node] = api.HeldImages{}
			}
			out[node][hash] = size
		}
	}
	return out
}

// images are those that nodes told this node of, which leads.
func (c *Controller) images(hashes map[string]bool) map[string]placement.Image {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stock == nil {
		return nil
	}
	return c.stock.images(hashes)
}

// hashesOf are those of the images that the requests' tasks are made from.
func hashesOf(reqs []placement.Request) map[string]bool {
	out := map[string]bool{}
	for i := range reqs {
		if hash := reqs[i].Image; hash != "" {
			out[hash] = true
		}
	}
	return out
}

// kept are the hashes of the images of all kept versions of services.
func kept(v state.View) map[string]bool {
	out := map[string]bool{}
	for s := range v.Services() {
		for _, hash := range versions(s) {
			out[hash] = true
		}
	}
	return out
}

// versions are the hashes of the images of a service's kept generations, by their
// numbers.
func versions(s *cluster.Service) map[uint64]string {
	out := map[uint64]string{s.Generation: s.Spec.Template.Container.Image.Hash()}
	for i := range s.History {
		out[s.History[i].Number] = s.History[i].Template.Container.Image.Hash()
	}
	return out
}
