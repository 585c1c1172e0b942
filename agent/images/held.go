package images

import (
	"cmp"
	"slices"
	"strings"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

// Held are the images of a host as its leader is told of them, by the hashes that
// services name them by. Of too many the largest are told: a small one is fetched
// soon.
func Held(here []runtime.Image) api.HeldImages {
	here = slices.Clone(here)
	slices.SortFunc(here, func(a, b runtime.Image) int {
		return cmp.Or(cmp.Compare(b.Size, a.Size), cmp.Compare(a.ID, b.ID))
	})
	out := api.HeldImages{}
	for _, i := range here {
		for _, hash := range hashes(i) {
			if len(out) == api.MaxHeldImages {
				return out
			}
			out[hash] = max(out[hash], i.Size)
		}
	}
	return out
}

// hashes are the image's ID and what its digests and the tags of one that came
// from a peer say.
func hashes(i runtime.Image) []string {
	out := []string{i.ID}
	for _, digest := range i.Digests {
		out = append(out, cluster.Image{Digest: digest}.Hash())
	}
	for _, tag := range i.Tags {
		if hash, peer := strings.CutPrefix(tag, runtime.PeerRepository+":"); peer {
			out = append(out, strings.Replace(hash, "-", ":", 1))
		}
	}
	return out
}
