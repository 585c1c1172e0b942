// Package fake is a container engine in memory, for tests: it implements
// runtime.Driver and runtime.Builder and passes the suite of
// runtime/runtimetest that the real one passes.
//
// It owns scripted containers (Behaviour), scripted faults (Fault) and what
// somebody does behind the agent's back (Kill, Delete, Reboot). It may not know
// tasks. Time comes from its Config; in a testing/synctest bubble the defaults
// are right. It starts no goroutine.
//
// Start with New and Driver.Fail.
package fake
