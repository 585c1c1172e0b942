package cluster

import (
	"fmt"
	"strings"
)

// MaxConstraints bounds the constraints of one service.
const MaxConstraints = 100

// Constraint is one rule about a node, in Docker's words: "node.labels.zone==a".
type Constraint struct {
	Key    string
	Negate bool
	Value  string
}

// ParseConstraint reads "KEY==VALUE" or "KEY!=VALUE". Keys: node.id, node.name
// (node.hostname), node.role, node.platform.os, node.platform.arch,
// node.labels.NAME, engine.labels.NAME. The error is a *FieldError without a
// field prefix other than "constraint".
func ParseConstraint(s string) (Constraint, error) {
	const hint = `write it as node.labels.zone==a or node.name!=n1`
	op := "=="
	key, value, ok := strings.Cut(s, "==")
	if k, v, neg := strings.Cut(s, "!="); neg && (!ok || len(k) < len(key)) {
		key, value, ok, op = k, v, true, "!="
	}
	if !ok {
		return Constraint{}, Invalid("constraint", fmt.Sprintf("%q has neither == nor !=", clip(s)), hint)
	}
	c := Constraint{Key: strings.TrimSpace(key), Negate: op == "!=", Value: strings.TrimSpace(value)}
	switch {
	case c.Value == "":
		return Constraint{}, Invalid("constraint", fmt.Sprintf("%q has no value", clip(s)), hint)
	case !knownConstraintKey(c.Key):
		return Constraint{}, Invalid("constraint", fmt.Sprintf("%q is not a key that nodes have", clip(c.Key)),
			"use node.id, node.name, node.role, node.platform.os, node.platform.arch, node.labels.NAME or engine.labels.NAME")
	}
	return c, nil
}

func knownConstraintKey(key string) bool {
	switch key {
	case "node.id", "node.name", "node.hostname", "node.role", "node.platform.os", "node.platform.arch":
		return true
	}
	for _, prefix := range []string{"node.labels.", "engine.labels."} {
		if name, ok := strings.CutPrefix(key, prefix); ok && name != "" {
			return true
		}
	}
	return false
}

// Matches reports whether the node satisfies c. A label that a node lacks is
// the empty value.
func (c Constraint) Matches(n *Node) bool { return c.Allows(n.Value(c.Key)) }

// Allows reports whether a node with that value of the key satisfies c. Values
// are compared without regard to case, as Docker does.
func (c Constraint) Allows(value string) bool {
	return strings.EqualFold(value, c.Value) != c.Negate
}

func (c Constraint) String() string {
	if c.Negate {
		return c.Key + "!=" + c.Value
	}
	return c.Key + "==" + c.Value
}

// Value is what the node has for a key of constraints, "" for a label that it
// lacks; see ParseConstraint.
func (n *Node) Value(key string) string {
	switch key {
	case "node.id":
		return string(n.ID)
	case "node.name", "node.hostname":
		return n.Name
	case "node.role":
		if n.Voter {
			return "manager"
		}
		return "worker"
	case "node.platform.os":
		return n.OS
	case "node.platform.arch":
		return n.Arch
	}
	if name, ok := strings.CutPrefix(key, "node.labels."); ok {
		return n.Labels[name]
	}
	return n.EngineLabels[strings.TrimPrefix(key, "engine.labels.")]
}

// ParseConstraints reads all of list; see ParseConstraint.
func ParseConstraints(list []string) ([]Constraint, error) {
	if len(list) > MaxConstraints {
		return nil, Invalid("constraints", fmt.Sprintf("has %d entries, at most %d are allowed", len(list), MaxConstraints), "")
	}
	out := make([]Constraint, 0, len(list))
	for _, s := range list {
		c, err := ParseConstraint(s)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}
