// Package worker runs this host's containers: it makes what the engine does
// equal to what is assigned, and says what it saw.
//
// It owns restarts in place, adoption, strays and the order of work for one
// engine. It may not know how assignments are decided or how observations
// reach the leader: Set comes in, Observation goes out. It talks to the engine
// through Engine and to nothing else.
//
// The truth is synchronous: Plan is a pure function of what is assigned, what
// is there and what was tried (plan.go; task.go for one task, restart.go for
// back-off, stray.go for what belongs to nobody). Worker is the shell around
// it: it lists, plans, applies, reports, and plans again (worker.go, loop.go).
// Start with Plan.
package worker
