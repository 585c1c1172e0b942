// Package dataplane carries this host's traffic in a process of its own, so that
// neither the end of an agent nor an upgrade of either cuts a connection.
//
// It owns the socket between the two, the table that is kept on disk, and the
// way of the listeners into the next process. What it is told is whole tables,
// each with the index of the state that it was made from; what it says is how
// they are served. It may not know where tables come from: it reaches no other
// node, and serves the last table for as long as nobody has another.
//
// It also has the host take its part in the networks across hosts, from the same
// tables: networks.go hands them on to packages below network.
//
// Start with Plane (what serves a table), then Run (the process around it),
// Client (the agent's end) and succession.go (how one process follows another).
package dataplane
