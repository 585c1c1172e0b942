package cluster

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

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

// Node labels that placement reads.
const (
	// PartitionLabel gives a node to a partition: only services of that
	// partition use it, and they use no other node.
	PartitionLabel = "muster.partition"
	// TaintPrefix begins labels that keep services off a node which do not
	// tolerate what follows: "muster.taint.gpu".
	TaintPrefix = "muster.taint."
	// PoolLabel is a name that several nodes share.
	PoolLabel = "pool"
	// ZoneLabel is what several nodes lose together.
	ZoneLabel = "zone"
)

// Bounds of the lists of a Placement.
const (
	MaxTolerations = 100
	MaxAffinities  = 20
	MaxApart       = 100
	MaxNear        = 20
	MaxWeight      = 100 // of an affinity, either way
)

// Placement is what the user wants of the nodes of a service's tasks beyond
// what its template asks for. A change of it moves no task.
type Placement struct {
	Policy Policy `cbor:"1,keyasint,omitempty" json:"policy,omitempty"` // "": the cluster's
	// Partition is the value of PartitionLabel that the service's nodes have.
	Partition string `cbor:"2,keyasint,omitempty" json:"partition,omitempty"`
	// Pool is the value of PoolLabel that the service's nodes have; "": any.
	Pool string `cbor:"3,keyasint,omitempty" json:"pool,omitempty"`
	// Tolerations are the taints that the service bears: "gpu" or "gpu=a100".
	Tolerations []string `cbor:"4,keyasint,omitempty" json:"tolerations,omitempty"`
	// Affinities are nodes that the service likes or dislikes.
	Affinities []Affinity `cbor:"5,keyasint,omitempty" json:"affinities,omitempty"`
	// ApartFrom are services that none of its tasks shares a node with, by
	// name, or by stack/name in another stack.
	ApartFrom []string `cbor:"6,keyasint,omitempty" json:"apart_from,omitempty"`
	// Priority says who goes first, from 0 to MaxPriority; nil: DefaultPriority.
	Priority *int `cbor:"7,keyasint,omitempty" json:"priority,omitempty"`
	// Preempt: PreemptNever, or "" for a service whose tasks may take the place
	// of tasks of a lower priority.
	Preempt Preempt `cbor:"8,keyasint,omitempty" json:"preempt,omitempty"`
	// Expected is how long a task is likely to run until it ends by itself; 0:
	// it is not known.
	Expected time.Duration `cbor:"9,keyasint,omitempty" json:"expected,omitempty"`
	// Rebalance says who may move its tasks to better nodes; "": RebalanceManual.
	Rebalance Rebalance `cbor:"11,keyasint,omitempty" json:"rebalance,omitempty"`
	// Near are services whose nodes, and then whose zones, are better places;
	// named as in ApartFrom.
	Near []string `cbor:"10,keyasint,omitempty" json:"near,omitempty"`
}

// Priorities.
const (
	DefaultPriority = 50
	MaxPriority     = 100
	// PriorityGap is how much higher the priority of a task must be than that of
	// one that gives way to it.
	PriorityGap = 10
)

// Preempt is whether tasks of a service may take the place of others.
type Preempt string

// PreemptNever has them wait for room.
const PreemptNever Preempt = "never"

// ServiceNamed is the service that a service of the stack means by a name.
func ServiceNamed(name, stack string) ServiceID {
	if strings.Contains(name, "/") {
		return ServiceID(name)
	}
	return NewServiceID(stack, name)
}

// Rank is the service's priority.
func (p *Placement) Rank() int {
	if p.Priority == nil {
		return DefaultPriority
	}
	return *p.Priority
}

// Rebalance says when tasks that run well are moved to nodes that would be better.
type Rebalance string

// Rebalance values.
const (
	RebalanceAuto   Rebalance = "auto"   // whenever it is worth it
	RebalanceManual Rebalance = "manual" // when somebody asks; the default
	RebalanceNever  Rebalance = "never"
)

// Affinity makes the nodes that match a constraint better places, or with a
// negative weight worse ones; 100 counts as much as a whole empty node.
type Affinity struct {
	Constraint string `cbor:"1,keyasint" json:"constraint"` // see ParseConstraint
	Weight     int    `cbor:"2,keyasint" json:"weight"`
}

// Tolerates reports whether tasks may be on a node with that taint.
func (p *Placement) Tolerates(taint Taint) bool {
	return slices.Contains(p.Tolerations, taint.Name) || slices.Contains(p.Tolerations, taint.String())
}

// Bars says why the node's labels keep the service off it, or "" where they do
// not.
func (p *Placement) Bars(n *Node) string {
	switch partition := n.Labels[PartitionLabel]; {
	case strings.EqualFold(partition, p.Partition): // as all values of labels are compared
	case p.Partition != "":
		return "is not of the partition " + p.Partition
	default:
		return "belongs to the partition " + partition
	}
	if p.Pool != "" && !strings.EqualFold(n.Labels[PoolLabel], p.Pool) {
		return "is not of the pool " + p.Pool
	}
	for _, taint := range n.Taints() {
		if !p.Tolerates(taint) {
			return "has the taint " + taint.String()
		}
	}
	return ""
}

// Taint is what a service has to tolerate to be on a node.
type Taint struct{ Name, Value string }

func (t Taint) String() string {
	if t.Value == "" {
		return t.Name
	}
	return t.Name + "=" + t.Value
}

// Taints are the node's, by name.
func (n *Node) Taints() []Taint {
	var out []Taint
	for key, value := range n.Labels {
		if name, ok := strings.CutPrefix(key, TaintPrefix); ok {
			out = append(out, Taint{name, value})
		}
	}
	slices.SortFunc(out, func(a, b Taint) int { return strings.Compare(a.Name, b.Name) })
	return out
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
	if p.Preempt != "" && p.Preempt != PreemptNever {
		return Invalid(at(field, "preempt"), fmt.Sprintf("%q is not known", clip(string(p.Preempt))), "use never, or leave it out")
	}
	if n := p.Rank(); n < 0 || n > MaxPriority {
		return Invalid(at(field, "priority"), fmt.Sprintf("%d is not between 0 and %d", n, MaxPriority), fmt.Sprintf("%d is that of services that say nothing", DefaultPriority))
	}
	switch p.Rebalance {
	case "", RebalanceAuto, RebalanceManual, RebalanceNever:
	default:
		return Invalid(at(field, "rebalance"), fmt.Sprintf("%q is none of auto, manual and never", clip(string(p.Rebalance))), "use one of these")
	}
	return first(
		validateDuration(at(field, "expected"), p.Expected),
		p.validatePartition(at(field, "partition")),
		p.validateLists(field),
	)
}

func (p *Placement) validatePartition(field string) error {
	switch fixed := p.Policy == PolicyFixed; {
	case fixed && p.Partition == "":
		return Invalid(field, "is missing for the policy fixed", "name the partition, and give its nodes the label "+PartitionLabel)
	case p.Partition != "" && !fixed:
		return Invalid(field, "is set for a policy other than fixed", "add policy: fixed, or remove it")
	case fixed:
		return ValidateName(field, p.Partition)
	}
	return nil
}

func (p *Placement) validateLists(field string) error {
	for _, list := range []struct {
		name       string
		size, most int
	}{
		{"tolerations", len(p.Tolerations), MaxTolerations},
		{"affinities", len(p.Affinities), MaxAffinities},
		{"apart_from", len(p.ApartFrom), MaxApart},
		{"near", len(p.Near), MaxNear},
	} {
		if list.size > list.most {
			return Invalid(at(field, list.name), fmt.Sprintf("has %d entries, at most %d are allowed", list.size, list.most), "")
		}
	}
	for i, s := range p.Tolerations {
		if name, _, _ := strings.Cut(s, "="); name == "" {
			return Invalid(fmt.Sprintf("%s[%d]", at(field, "tolerations"), i), fmt.Sprintf("%q names no taint", clip(s)), "write it as gpu or gpu=a100")
		}
	}
	for i, a := range p.Affinities {
		where := fmt.Sprintf("%s[%d]", at(field, "affinities"), i)
		if _, err := ParseConstraint(a.Constraint); err != nil {
			return renamed(where+".constraint", err)
		}
		if a.Weight == 0 || a.Weight < -MaxWeight || a.Weight > MaxWeight {
			return Invalid(where+".weight", fmt.Sprintf("%d is not between 1 and %d, or below 0", a.Weight, MaxWeight), "give a number such as 50, or -50 for nodes to avoid")
		}
	}
	return first(validateServices(at(field, "apart_from"), p.ApartFrom), validateServices(at(field, "near"), p.Near))
}

// validateServices checks names of services of the same stack, or of others.
func validateServices(field string, names []string) error {
	for i, s := range names {
		where := fmt.Sprintf("%s[%d]", field, i)
		for part := range strings.SplitSeq(s, "/") {
			if err := ValidateName(where, part); err != nil {
				return err
			}
		}
		if strings.Count(s, "/") > 1 {
			return Invalid(where, fmt.Sprintf("%q is not a service", clip(s)), "write it as db, or shop/db in another stack")
		}
	}
	return nil
}
