// Package packing prices room: what it costs the tasks to come that a task is
// given a part of what a node has left.
//
// It owns what is known of the mix of demands, and the price that follows from it
// and from a node's rest. It may not know nodes, filters, services or how nodes are
// searched (placement): it is told what is free, and how many tasks of a size still
// fit anywhere. The price is part of the policy hybrid.
//
// Start with Price, and Question.Price; room.go is what a node has left, mix.go what tasks ask
// for.
package packing
