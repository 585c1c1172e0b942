// Package lifecycle holds tests of what becomes of a cluster on real Docker hosts
// in the course of its life: it grows and shrinks, and gets new releases.
//
// It owns scenarios, one a test, written in the language of fleettest, each with
// hosts of its own. Package older is the program that plays the release before.
// It may not look into an agent's data.
//
// The lab allows one at a time on a machine, so nothing here runs in parallel.
package lifecycle
