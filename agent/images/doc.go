// Package images brings container images to this host: from their registry,
// else from another node that has them, over the connections between nodes. It
// hands them on in turn.
//
// It owns where an image is looked for and in which order, that the same image
// is brought once however many ask for it, and what is on its way: a Store keeps
// layers in the agent's data directory until the engine has them and for a while
// after, for the next node. It may not know Docker or how nodes are reached: it
// asks for both through small interfaces.
//
// What a peer hands over is checked by content. An image's ID is the hash of its
// configuration, which names the hash of every layer: nothing else is taken.
// Where an engine names images in another way, the image is sent as a whole, and
// the ID that the engine computes from it must be the one asked for. The ID that
// belongs to a repository digest ("name@sha256:...") cannot be computed from a
// saved image: it must be the one that the cluster has recorded, by the word of
// the first node whose engine had the image from the registry (record.go).
//
// A node sends two images at a time and tells others who has got it from here:
// nodes that want an image together make a tree.
//
// Start with Fetcher.Fetch; layers.go is the receiving and store.go the sending
// end of a transfer.
package images
