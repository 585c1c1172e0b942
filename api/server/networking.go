package server

import (
	"encoding/base64"
	"net/netip"

	"github.com/musterhq/muster/cluster"
)

// keySize is that of a WireGuard key, in bytes.
const keySize = 32

// checkNetworking judges what a host tells of its place in networks: other hosts
// are to talk to it with that key, and no network gets those addresses.
func checkNetworking(key string, routes []netip.Prefix) error {
	if raw, err := base64.StdEncoding.DecodeString(key); key != "" && (err != nil || len(raw) != keySize) {
		return cluster.Invalid("network_key", "is not a WireGuard public key", "")
	}
	if len(routes) > cluster.MaxRoutes {
		return cluster.Invalid("routes", "are too many", "")
	}
	for _, r := range routes {
		if !r.Addr().Is4() || r != r.Masked() || r.Bits() == 0 {
			return cluster.Invalid("routes", "are not ranges of IPv4 addresses", "")
		}
	}
	return nil
}
