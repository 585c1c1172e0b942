// Package networks holds the tests of the networks across hosts, by Muster's real
// binary on real Docker hosts: names, addresses, isolation, encryption, and what
// becomes of them when parts of them die.
//
// It owns scenarios, one a test, written in verbs of the lab and of fleet. What
// counts is what a program in a container sees, what is on the wire, and which
// interfaces the hosts have. It may not look into an agent's data.
//
// One cluster of three hosts serves all tests; it is repaired between them (see
// fleettest.Ring). Start reading at ring_test.go.
package networks
