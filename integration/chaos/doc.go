// Package chaos disturbs a cluster of the real binary on real Docker hosts, in
// every way that there is a class of faults for, while users change it, and
// checks what an observer outside sees: that nothing acknowledged is lost, that
// after the end of a fault nothing runs twice for long and nothing is left over,
// that no node holds more than it has, that answers are in the order of one
// history, and that what runs in the end is what was asked for.
//
// It owns the classes of faults, the schedule that a seed makes of them, the
// users and their histories, and the observer. The same seed stages the same
// faults in the same order, on hosts that are named by their role then (the
// leader, a follower): how the cluster takes them differs from run to run. It
// may not know an agent's insides, and repeats no rule of package invariants.
//
// Clocks are not set here: all hosts of a lab have the machine's. The simulator
// sets them, and the virtual ring lets hosts sleep.
//
// Start reading at run.go, then classes.go for what is staged, observer.go for
// what is checked, model.go for the order of answers.
package chaos
