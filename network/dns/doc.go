// Package dns answers containers who ask for names, on the gateways of their
// networks, from a network.Zone, and asks the host's resolvers for the rest.
package dns
