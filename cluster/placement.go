package cluster

import "fmt"

// Policy is how a node is chosen among those that may take a task; what each
// means is in docs/placement.md.
type Policy string

// Policies.
const (
	PolicyHybrid    Policy = "hybrid" // the default
	PolicySpread    Policy = "spread"
	PolicyBinpack   Policy = "binpack"
	PolicyLeastUsed Policy = "least-used"
	PolicyFixed     Policy = "fixed"
	PolicyRealtime  Policy = "realtime"
	PolicyOptimal   Policy = "optimal"
)

// PartitionLabel is the node label that gives a node to a partition: only
// services of that partition use it, and they use no other node.
const PartitionLabel = "muster.partition"

// Placement is what the user wants of the nodes of a service's tasks beyond
// what its template asks for. A change of it moves no task.
type Placement struct {
	Policy Policy `cbor:"1,keyasint,omitempty" json:"policy,omitempty"` // "": the cluster's
	// Partition is the value of PartitionLabel that the service's nodes have.
	Partition string `cbor:"2,keyasint,omitempty" json:"partition,omitempty"`
}

// Validate reports the first rule that p breaks as a *FieldError; field is the
// place of p.
func (p *Placement) Validate(field string) error {
	switch p.Policy {
	case "", PolicyHybrid, PolicySpread, PolicyBinpack, PolicyLeastUsed, PolicyFixed, PolicyRealtime, PolicyOptimal:
	default:
		return Invalid(at(field, "policy"), fmt.Sprintf("%q is not a policy", clip(string(p.Policy))),
			"use hybrid, spread, binpack, least-used, fixed, realtime or optimal")
	}
	switch fixed := p.Policy == PolicyFixed; {
	case fixed && p.Partition == "":
		return Invalid(at(field, "partition"), "is missing for the policy fixed", "name the partition, and give its nodes the label "+PartitionLabel)
	case p.Partition != "" && !fixed:
		return Invalid(at(field, "partition"), "is set for a policy other than fixed", "add policy: fixed, or remove it")
	case fixed:
		return ValidateName(at(field, "partition"), p.Partition)
	}
	return nil
}
