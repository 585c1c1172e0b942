// Package rollouts holds the tests of where tasks go and how services change, by
// Muster's real binary on real Docker hosts: what plan, simulate and why foretell,
// and that it happens.
//
// It owns scenarios, one a test, written in verbs of the lab and of fleet. What
// counts is what an observer outside sees: the engines' containers and the
// answers on published ports. It may not look into an agent's data.
//
// One cluster of three hosts serves all tests; it is repaired between them (see
// fleettest.Ring). Each host says that it has the memory that its agent offers,
// so that all of what it uses counts. Placement is by whole CPUs where a test fills hosts:
// what is measured takes no room of those.
//
// Start reading at ring_test.go.
package rollouts
