// Package images brings container images to this host: from their registry,
// else from another node that has them, over the connections between nodes.
//
// It owns where an image is looked for and in which order, and that the same
// image is brought once however many ask for it. It may not know Docker or how
// nodes are reached: it asks for both through small interfaces.
//
// What a peer hands over is checked by content: the engine computes an image's
// ID from what it loads, and that ID must be the one asked for. The ID that
// belongs to a repository digest ("name@sha256:...") cannot be computed from a
// saved image; for that mapping the peer, a member of the cluster, is believed.
//
// Start with Fetcher.Fetch.
package images
