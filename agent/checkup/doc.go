// Package checkup looks at this host for `muster doctor`: its kernel, disk,
// memory, clock, limits and interfaces, and the plain ways to another host.
//
// It owns where Linux says what. It may not know what is well and what is not
// (doctor), nor the cluster, the engine or gossip: agent adds what they know.
//
// Start with Look and Dial.
package checkup
