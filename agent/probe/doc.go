// Package probe makes the health checks of this host's tasks that the node
// itself makes, beside those of the container engine.
//
// It owns when a task is checked, how, and what follows from the results. It may
// not know what becomes of an unhealthy task, or of rollouts and balancers: it is
// told which containers run (Watch), and says what it found (Verdict, News).
//
// A check goes to the task's own address and nowhere else: an address, no name;
// no proxy, no redirect that is followed, no connection that is used twice, and
// at most 64 KiB of an answer that are read. What a program answers can make its
// own task unhealthy, and nothing more.
//
// The truth is synchronous: state is a pure function of the results and their
// times (state.go). Prober is the shell around it, with one goroutine a container
// (prober.go); each kind of check has a file of its own. Start with state.go.
package probe
