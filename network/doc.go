// Package network says what the networks across hosts are on one host: which
// interfaces there are and where they lead (Overlay), which names lead to which
// addresses (Zone), and which packets are let through or sent elsewhere (Rules).
// Each is a pure function of an Input, which is read from the replicated state and
// is the same on all hosts.
//
// It owns the layout of addresses and ports on the wire. It may not know how any
// of it is done: network/overlay, network/dns and network/filter do it.
//
// Start with Input.
package network
