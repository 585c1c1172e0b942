// Package dns answers containers who ask for names, on the gateways of their
// networks, from a network.Zone, and asks the host's resolvers for the rest.
//
// It owns the sockets on the gateways, and bounds what one client can make it do. It
// may not know where names come from: the zone is given.
//
// Start with Server. What a packet is answered with is responder's alone and needs no
// socket.
package dns
