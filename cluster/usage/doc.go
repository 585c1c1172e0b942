// Package usage remembers what tasks and hosts used, and says what they are
// likely to use next.
//
// It owns the history of a slot (Series) and of all of them (Book), the
// percentile and the forecast. It may not know how anything is measured or
// what is decided by it. It reads no clock: time is an argument. All of it is
// soft state: the leader's memory, gathered anew by the next leader.
//
// Start with Book, then Series.Demand.
package usage
