package api

import (
	"net/netip"

	"github.com/musterhq/muster/cluster"
)

// Settings are those of the whole cluster, with what holds where nobody set one.
type Settings struct {
	Policy  cluster.Policy     `json:"policy"`
	Queue   cluster.QueueOrder `json:"queue"`
	Weights map[string]float64 `json:"weights"` // by stack
	// NetworkPool is the range of addresses of networks, services and hosts.
	NetworkPool netip.Prefix       `json:"network_pool"`
	Encrypt     cluster.Encryption `json:"encrypt"`
	Stale       bool               `json:"stale,omitempty"`
}

// Configure changes some of them.
type Configure struct {
	cluster.SettingsChange
	Request string `json:"request,omitempty"`
}
