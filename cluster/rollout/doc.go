// Package rollout decides what tasks should exist: replicas, updates, drains,
// the replacement of what was lost or gave up, and the end of what is not
// wanted any more.
//
// It owns the rules by which a service's slots are filled and handed over. It
// may not know where tasks run best (placement): it creates tasks without a
// node. It reads a state.View and returns decisions as data, is given the time
// and new IDs, and keeps nothing between two calls: what it needs to remember
// is in the tasks.
//
// A place that a service fills is a seat: a slot of a replicated service, a
// node of a global one. Of the live tasks (wanted and not over) of a seat
//
//   - at most one is the holder: it replaces no live task;
//   - at most one is the successor: it replaces the holder.
//
// A holder that must go (its node is down or drained, its generation is old)
// stays until its successor is ready, and then stops; if the reason passes
// before that, the successor is withdrawn. A successor that cannot become
// ready any more stops and another is made for the same holder. A service that
// updates stop-first has no successor: its holder stops, and once that is over
// the seat is filled anew. Deciding twice on the same state decides nothing the
// second time.
//
// Start with Step, then (*work).settle.
package rollout
