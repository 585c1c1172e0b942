package cluster

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
)

// QueueOrder is who goes first among tasks of the same priority that wait for a node;
// what each means is in docs/placement.md.
type QueueOrder string

// Orders. A higher priority goes first in all of them.
const (
	QueuePriority    QueueOrder = "priority" // the default: the one that waits the longest
	QueueShortestJob QueueOrder = "sjf"      // the shortest expected job, aged
	QueueFair        QueueOrder = "fair"     // the stack with the least weighted dominant share
)

// Bounds of the weights of stacks.
const (
	MaxShareWeight  = 1000
	MaxShareWeights = 1000 // stacks
)

// Settings are the operator's wishes for the whole cluster.
type Settings struct {
	Policy Policy     `cbor:"1,keyasint,omitempty" json:"policy,omitempty"` // of services that name none; "": PolicyHybrid
	Queue  QueueOrder `cbor:"2,keyasint,omitempty" json:"queue,omitempty"`  // "": QueuePriority
	// Weights are the shares of stacks in QueueFair, 1 where there is none.
	Weights map[string]float64 `cbor:"3,keyasint,omitempty" json:"weights,omitempty"`
	// NetworkPool is what addresses of networks, services and hosts are taken from;
	// zero: DefaultNetworkPool.
	NetworkPool netip.Prefix `cbor:"4,keyasint,omitzero" json:"network_pool,omitzero"`
	Encrypt     Encryption   `cbor:"5,keyasint,omitempty" json:"encrypt,omitempty"` // "": EncryptOn
}

// SettingsChange is what an operator changes of the settings. A weight of 0 takes the
// stack's away.
type SettingsChange struct {
	Policy  *Policy            `cbor:"1,keyasint,omitempty" json:"policy,omitempty"`
	Queue   *QueueOrder        `cbor:"2,keyasint,omitempty" json:"queue,omitempty"`
	Weights map[string]float64 `cbor:"3,keyasint,omitempty" json:"weights,omitempty"`
	// NetworkPool is refused while there are networks.
	NetworkPool *netip.Prefix `cbor:"4,keyasint,omitempty" json:"network_pool,omitempty"`
	Encrypt     *Encryption   `cbor:"5,keyasint,omitempty" json:"encrypt,omitempty"`
}

// Pool is the cluster's range of addresses.
func (s Settings) Pool() NetworkPool {
	if !s.NetworkPool.IsValid() {
		return NetworkPool{DefaultNetworkPool}
	}
	return NetworkPool{s.NetworkPool}
}

// With returns the settings with the change.
func (s Settings) With(c SettingsChange) Settings {
	if c.Policy != nil {
		s.Policy = *c.Policy
	}
	if c.Queue != nil {
		s.Queue = *c.Queue
	}
	if c.NetworkPool != nil {
		s.NetworkPool = *c.NetworkPool
	}
	if c.Encrypt != nil {
		s.Encrypt = *c.Encrypt
	}
	if len(c.Weights) > 0 {
		weights := maps.Clone(s.Weights)
		if weights == nil {
			weights = map[string]float64{}
		}
		maps.Copy(weights, c.Weights)
		maps.DeleteFunc(weights, func(_ string, w float64) bool { return w == 0 })
		s.Weights = weights
	}
	return s
}

// Validate reports the first rule that s breaks as a *FieldError.
func (s Settings) Validate() error {
	if s.Policy == PolicyFixed {
		return Invalid("policy", "fixed needs a partition for each service", "set it for these services, with x-muster.partition")
	}
	if err := (&Placement{Policy: s.Policy}).Validate(""); err != nil {
		return err
	}
	switch s.Queue {
	case "", QueuePriority, QueueShortestJob, QueueFair:
	default:
		return Invalid("queue", fmt.Sprintf("%q is not an order", clip(string(s.Queue))), "use priority, sjf or fair")
	}
	if err := s.Pool().Validate("network_pool"); err != nil {
		return err
	}
	switch s.Encrypt {
	case "", EncryptOn, EncryptOff:
	default:
		return Invalid("encrypt", fmt.Sprintf("%q is neither on nor off", clip(string(s.Encrypt))), "use on or off")
	}
	if len(s.Weights) > MaxShareWeights {
		return Invalid("weights", fmt.Sprintf("has %d entries, at most %d are allowed", len(s.Weights), MaxShareWeights), "set those to 0 that are not needed")
	}
	for _, stack := range slices.Sorted(maps.Keys(s.Weights)) {
		if err := ValidateName("weights", stack); err != nil {
			return err
		}
		if w := s.Weights[stack]; !(w > 0 && w <= MaxShareWeight) { // NaN is neither
			return Invalid("weights."+stack, fmt.Sprintf("%g is not above 0 and at most %d", w, MaxShareWeight), "give 2 for a stack that should have twice as much as others")
		}
	}
	return nil
}
