// Package preempt chooses which tasks make room for one that is more important.
//
// It owns what a set of victims costs and how the cheapest is found on a node.
// It may not know which node is asked for (placement) or how a task is stopped
// and queued again (cluster/rollout).
//
// A task gives way to one whose priority is at least Gap higher, so that a chain
// of evictions goes down by Gap with each step and ends: nobody is evicted for
// one whom he evicted.
//
// Start with Choose.
package preempt
