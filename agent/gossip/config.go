package gossip

import (
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/netip"
	"time"

	"github.com/hashicorp/memberlist"
)

const keyLen = 32 // AES-256

// Timing. How soon all know of a killed member is what TestAbruptDeathIsNoticed
// logs. Probing at 300 ms or less flaps when the CPU is short. Probes and their
// answers carry news too, so that rounds of gossip alone need be no more frequent
// than they: each wakes an idle host.
const (
	gossipInterval   = 500 * time.Millisecond
	probeInterval    = 500 * time.Millisecond
	probeTimeout     = 250 * time.Millisecond
	suspicionMult    = 3
	suspicionMaxMult = 2 // also bounds the wait when no third member can confirm
	// Each member passes news on in this many packets for each power of ten of
	// members, to members at random. With memberlist's own 4 a member of a small
	// cluster misses some of it, until the next exchange of all states.
	retransmitMult = 8
	streamTimeout  = 3 * time.Second
	// A host may come back under another address once it was seen dead for
	// this long.
	reclaimAfter = time.Second
)

// Transport carries gossip between members.
type Transport = memberlist.Transport

// Config is what a member starts with.
type Config struct {
	NodeID    string
	ClusterID string

	BindAddr      string // IP; "": all
	BindPort      int    // TCP and UDP; 0: any free one
	AdvertiseAddr string // IP that peers reach; "": the bound one, or a private one of this host
	AdvertisePort int    // 0: the bound one

	Keys [][]byte // 32 bytes each; the first encrypts, all decrypt
	Meta Meta     // its ClusterID is set from the one above

	// Peers returns the members that replicated state, or the last known
	// state on disk, names; nil for none. It is called every few seconds
	// and must not block.
	Peers func() []Peer

	// Transport replaces the network; nil for TCP and UDP.
	Transport Transport

	Logger *slog.Logger // nil: silent
}

func (c *Config) validate() error {
	if c.NodeID == "" || c.ClusterID == "" {
		return errors.New("node ID and cluster ID are required")
	}
	if len(c.Keys) == 0 {
		return errors.New("a gossip key is required")
	}
	for _, key := range c.Keys {
		if err := checkKey(key); err != nil {
			return err
		}
	}
	for _, addr := range []string{c.BindAddr, c.AdvertiseAddr} {
		if addr == "" {
			continue
		}
		if _, err := netip.ParseAddr(addr); err != nil {
			return fmt.Errorf("address %q is not an IP address", addr)
		}
	}
	return nil
}

func checkKey(key []byte) error {
	if len(key) != keyLen {
		return fmt.Errorf("a gossip key has %d bytes, this one %d", keyLen, len(key))
	}
	return nil
}

// memberlistConfig translates the configuration; d receives every callback.
func (c *Config) memberlistConfig(d *delegate, keyring *memberlist.Keyring, logger *log.Logger) *memberlist.Config {
	mc := memberlist.DefaultLANConfig()
	mc.Name = c.NodeID
	mc.AdvertiseAddr, mc.AdvertisePort = c.AdvertiseAddr, c.AdvertisePort
	mc.Transport = c.Transport
	mc.Keyring = keyring
	mc.GossipVerifyIncoming, mc.GossipVerifyOutgoing = true, true
	mc.GossipInterval = gossipInterval
	mc.ProbeInterval, mc.ProbeTimeout = probeInterval, probeTimeout
	mc.SuspicionMult, mc.SuspicionMaxTimeoutMult = suspicionMult, suspicionMaxMult
	mc.TCPTimeout = streamTimeout
	mc.RetransmitMult = retransmitMult
	mc.DeadNodeReclaimTime = reclaimAfter
	mc.EnableCompression = false // messages are small, and CPU is what must not run short
	mc.Delegate, mc.Events, mc.Alive, mc.Merge, mc.Ping = d, d, d, d, d
	mc.Logger = logger
	return mc
}
