// Command mutants breaks the code on purpose, one check at a time, and sees
// that somebody notices: it is the test of the tests.
//
// It owns the list of mutants and how they are run: each is one replacement in
// one file, given to the compiler in place of that file (go's -overlay), so that
// the tree is never changed, and what fails leaves nothing in it. A mutant is
// caught when the tests named beside it fail; one that they pass shows that an
// invariant or a test is missing. Before any, the same tests have to pass on the
// code as it is.
//
// What is checked inside hashicorp/raft (the lease, the majority, the order of
// fsync and answer) is removed from the simulator's model of it instead: that
// the invariants see it is what counts.
//
// Start with list.go, which is made to be added to.
package main
