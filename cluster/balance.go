package cluster

import (
	"fmt"
	"time"
)

// BalancePolicy is how the connections to a published port are dealt out to the
// tasks behind it; what each means is in docs/traffic.md.
type BalancePolicy string

// Balance policies.
const (
	RoundRobin   BalancePolicy = "round-robin" // the default
	Random       BalancePolicy = "random"
	LeastRequest BalancePolicy = "least-request"
	Weighted     BalancePolicy = "weighted"
	Maglev       BalancePolicy = "maglev"
)

// ProxyProtocolV2 is the version of the PROXY protocol that tasks can be told
// the client's address in.
const ProxyProtocolV2 = "v2"

// Bounds of a Balance.
const (
	// MaxConnections is what a published port takes at once on a node.
	MaxConnections = 10_000
	MaxSlowStart   = time.Hour
)

// Balance is what the user wants of the traffic to a service's published ports.
// A change of it replaces no task.
type Balance struct {
	Policy BalancePolicy `cbor:"1,keyasint,omitempty" json:"policy,omitempty"` // "": RoundRobin
	// Local: tasks of the node that was asked come before all others.
	Local bool `cbor:"2,keyasint,omitempty" json:"local,omitempty"`
	// SlowStart is how long the share of a new task grows; 0: it has all of it at once.
	SlowStart time.Duration `cbor:"3,keyasint,omitempty" json:"slow_start,omitempty"`
	// Connections are open at once at most through one node; what comes beyond
	// is closed. 0: no limit of the service's own.
	Connections int `cbor:"4,keyasint,omitempty" json:"connections,omitempty"`
	// ProxyProtocol: each connection to a task begins with the client's address;
	// ProxyProtocolV2, or "" for none.
	ProxyProtocol string `cbor:"5,keyasint,omitempty" json:"proxy_protocol,omitempty"`
	// Degrade: where a node is short of connections, those to this service are
	// the first that it closes.
	Degrade bool `cbor:"6,keyasint,omitempty" json:"degrade,omitempty"`
}

// Validate reports the first rule that b breaks as a *FieldError; field is the
// place of b.
func (b Balance) Validate(field string) error {
	switch b.Policy {
	case "", RoundRobin, Random, LeastRequest, Weighted, Maglev:
	default:
		return Invalid(at(field, "policy"), fmt.Sprintf("%q is not a policy", clip(string(b.Policy))),
			"use round-robin, random, least-request, weighted or maglev")
	}
	if b.ProxyProtocol != "" && b.ProxyProtocol != ProxyProtocolV2 {
		return Invalid(at(field, "proxy_protocol"), fmt.Sprintf("%q is not supported", clip(b.ProxyProtocol)), "use v2, or leave it out")
	}
	if b.SlowStart > MaxSlowStart {
		return Invalid(at(field, "slow_start"), fmt.Sprintf("%s is more than an hour", b.SlowStart), "give a time such as 30s")
	}
	return first(
		validateDuration(at(field, "slow_start"), b.SlowStart),
		validateCount(at(field, "connections"), b.Connections, MaxConnections, "a node takes no more for a port; leave it out for no other limit"),
	)
}

// Weights of nodes in the policy weighted.
const (
	MinNodeWeight     = 1
	DefaultNodeWeight = 4 // of a node that is not measured
	MaxNodeWeight     = 8
)

// NodeWeight is what share of the connections a task on the node gets: the more
// the less its host has to do.
type NodeWeight struct {
	Node   NodeID `cbor:"1,keyasint" json:"node"`
	Weight int    `cbor:"2,keyasint" json:"weight"` // MinNodeWeight to MaxNodeWeight
}
