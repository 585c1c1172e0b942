package cluster

import (
	"net/netip"
	"time"
)

// NodeID is a ULID that the node made in its data directory, never an address.
type NodeID string

// Availability is what the operator allows on a node.
type Availability string

// Availabilities of a node.
const (
	Active   Availability = "active"   // takes new tasks
	Cordoned Availability = "cordoned" // keeps its tasks, takes no new ones
	Drained  Availability = "drained"  // its tasks are moved elsewhere
)

// Condition is what the leader has established about a node.
type Condition string

// Conditions of a node.
//
//	          heartbeat                 heartbeat
//	  +--------------------+   +-----------------------------+
//	  v                    |   v                             |
//	ready -- host answers, agent silent --> away -- agent_timeout --> down
//	  |                                                        ^
//	  +------------- no answer from anywhere ------------------+
const (
	Ready Condition = "ready"
	Away  Condition = "away" // the host answers, its agent does not: containers run on
	Down  Condition = "down" // the host is silent to everybody who dialled it
)

// Node is a host that runs the agent.
type Node struct {
	ID         NodeID `cbor:"1,keyasint" json:"id"`
	Name       string `cbor:"2,keyasint" json:"name"`
	Address    string `cbor:"3,keyasint" json:"address"` // IP that other nodes reach it at
	APIPort    int    `cbor:"4,keyasint" json:"api_port"`
	GossipPort int    `cbor:"5,keyasint" json:"gossip_port"`

	Labels        map[string]string `cbor:"6,keyasint,omitempty" json:"labels,omitempty"`
	EngineLabels  map[string]string `cbor:"7,keyasint,omitempty" json:"engine_labels,omitempty"`
	OS            string            `cbor:"8,keyasint,omitempty" json:"os,omitempty"`
	Arch          string            `cbor:"9,keyasint,omitempty" json:"arch,omitempty"`
	EngineVersion string            `cbor:"10,keyasint,omitempty" json:"engine_version,omitempty"`
	Version       string            `cbor:"11,keyasint,omitempty" json:"version,omitempty"`
	// Commands is the newest command version that the node's binary applies.
	Commands int       `cbor:"12,keyasint,omitempty" json:"commands,omitempty"`
	Capacity Resources `cbor:"13,keyasint" json:"capacity"`

	Availability   Availability `cbor:"14,keyasint" json:"availability"`
	Condition      Condition    `cbor:"15,keyasint" json:"condition"`
	ConditionSince time.Time    `cbor:"16,keyasint" json:"condition_since"`
	Reason         string       `cbor:"17,keyasint,omitempty" json:"reason,omitempty"` // of the condition
	// EngineError is why the node's container engine takes no new work; empty when it does.
	EngineError string `cbor:"18,keyasint,omitempty" json:"engine_error,omitempty"`
	// Voter grants raft streams. The leader sets it before it adds the node to
	// the raft configuration and clears it after the removal.
	Voter bool `cbor:"19,keyasint,omitempty" json:"voter,omitempty"`
	// PublicKey is the SHA-256 of the node certificate's public key, in hex.
	PublicKey string    `cbor:"20,keyasint" json:"public_key"`
	Joined    time.Time `cbor:"21,keyasint" json:"joined"`
	// Devices are those that the node hands out to tasks.
	Devices []HostDevice `cbor:"22,keyasint,omitempty" json:"devices,omitempty" since:"3"`
	// Number is unique among the nodes that there are, and from 1: the node's
	// address among hosts is made of it. 0: it has told no NetworkKey yet.
	Number uint16 `cbor:"23,keyasint,omitempty" json:"number,omitempty" since:"3"`
	// NetworkKey is the WireGuard public key of its host, in base64; traffic to a
	// node without one is not encrypted.
	NetworkKey string `cbor:"24,keyasint,omitempty" json:"network_key,omitempty" since:"3"`
	// NetworkPort is the UDP port of its WireGuard.
	NetworkPort uint16 `cbor:"25,keyasint,omitempty" json:"network_port,omitempty" since:"3"`
	// Routes are where its host's traffic goes by other ways than ours: no network
	// may have their addresses.
	Routes []netip.Prefix `cbor:"26,keyasint,omitempty" json:"routes,omitempty" since:"3"`
}

// Unschedulable says why the node takes no new task, or "" when it does.
func (n *Node) Unschedulable() string {
	switch {
	case n.Condition != Ready:
		return string(n.Condition)
	case n.Availability != Active:
		return string(n.Availability)
	case n.EngineError != "":
		return "engine: " + n.EngineError
	}
	return ""
}
