// Package memnet is a network in memory for programs under test: TCP and unix
// sockets between hosts that can die, whose programs can be killed, and whose
// links can be cut, also one way.
//
// It owns what a program sees of a network when something fails: a living host
// on which nobody listens refuses at once, a dead one or a cut link is silent
// until somebody's deadline; data sent into a cut is sent again and arrives
// after it; the end of a connection that died with its host is reset when the
// other end speaks to it again. It may not know what is said. Nothing in it
// runs in a goroutine of its own and nothing polls, so it works inside a
// testing/synctest bubble, where time is the bubble's.
//
// It is imported by tests only. Start with Network, then Process.
package memnet
