// Package failover holds the tests of Muster's real binary on real Docker hosts:
// what a user sees when hosts, agents, links and containers fail.
//
// It owns scenarios, one a test, written in verbs of the lab and of fleet. What
// counts is what an observer outside sees: the engines' containers and the
// answers on published ports. It may not look into an agent's data.
//
// One cluster of three hosts serves all tests; it is repaired between them (see
// fleettest.Ring). Hosts that must stay strangers to it are made on the same lab.
// The lab allows one at a time on a machine, so nothing here runs in parallel.
//
// Start reading at ring_test.go, then commands_test.go.
package failover
