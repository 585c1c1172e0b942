// Package docker drives a Docker Engine: it implements runtime.Driver and
// runtime.Builder.
//
// It owns every request that Muster sends to an engine, the deadline of each,
// and the one policy that a container's final payload must pass (policy.go). It
// is the only package that imports the Docker client. It may not know tasks,
// assignments or restarts: those are agent/worker's.
//
// The engine is taken for an unreliable sensor: each class of calls has its own
// connections and deadline, so that a call that hangs holds up no other; a call
// that failed may have taken effect; what it said is sorted into the port's
// errors in one place (errors.go).
//
// Start with New in driver.go, then payload.go (what is sent) and policy.go
// (what is refused).
package docker
