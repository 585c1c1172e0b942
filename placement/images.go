package placement

import "github.com/musterhq/muster/cluster"

// Image is what is known of an image that some nodes have.
type Image struct {
	Size int64 // bytes
	On   map[cluster.NodeID]bool
}

// What it costs to fetch an image grows with its size, up to a bound: a node that
// has it is worth a little imbalance, not a full node.
const (
	fetchMost  = millionths / 10
	fetchLarge = 1 << 30 // bytes: from there on it costs the most
)

// shelf is where an image is, and what it costs the other nodes that they have to
// fetch it, in millionths.
type shelf struct {
	on    bitset
	fetch int64
}

// Images is the snapshot with where images are, by cluster.Image.Hash. One that
// no node has costs none more than another.
func (s *Snapshot) Images(images map[string]Image) Snapshot {
	out := *s
	out.images = make(map[string]shelf, len(images))
	for hash, image := range images {
		on := newBitset(len(s.nodes))
		for id := range image.On {
			if i, ok := s.index[id]; ok {
				on.set(i)
			}
		}
		out.images[hash] = shelf{on, max(0, min(image.Size, fetchLarge)) * fetchMost / fetchLarge}
	}
	return out
}
