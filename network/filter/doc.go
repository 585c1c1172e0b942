// Package filter has the kernel's packet filter be as network.Rules say, in an
// nftables table of ours, and puts it back when somebody flushes it.
package filter
