// Package faults holds tests of Muster's real binary on real Docker hosts: what
// happens when parts of a host fail (the engine, the disk, the agent, its
// address), when somebody works past Muster, when what is asked for cannot work,
// and what the everyday verbs do while all of that goes on.
//
// It owns scenarios, one a test, written in the language of fleettest. Deaths of
// hosts and loss of the network are package failover's. It may not look into an
// agent's data.
//
// One cluster of three hosts serves all tests; each gets it healthy and empty.
// The lab allows one at a time on a machine, so nothing here runs in parallel.
package faults
