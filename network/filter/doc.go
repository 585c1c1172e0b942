// Package filter has the kernel's packet filter be as network.Rules say, in
// nftables tables of ours named muster, and puts them back when somebody flushes
// them.
//
// It owns those tables, the settings of the kernel that services' own addresses
// need (packets on bridges pass the packet filter, bridges send no redirects), and
// what the kernel remembers of UDP clients of tasks that left. It changes nothing
// of anybody else's. It may not know where rules come from.
//
// Start with build (what our tables hold: pure, and shown whole in
// testdata/ruleset.golden), then kernel (how they get there while packets pass),
// then Filter (the shell).
package filter
