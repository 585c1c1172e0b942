// Package invariants says what must hold of a cluster, whoever watches it: the
// simulator after every step, the lab from outside.
//
// It owns the rules. It may not know how a cluster is run or observed: State is
// what the cluster says of itself (state.View is one, Facts is another, for
// those who only have answers of the API), Host is what really runs.
//
// A rule is a function that returns violations; none of them remembers anything
// but Promises and Dead, which follow a cluster over time.
//
// Start with State and Violation; then safety.go (what holds always), step.go
// (what holds between two states), settled.go (what holds once nothing has been
// disturbed for a while).
package invariants
