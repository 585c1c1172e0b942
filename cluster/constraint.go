package cluster

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Bounds of constraints.
const (
	MaxConstraints      = 100 // of one service
	maxConstraintLength = 1024
)

// Op is how a constraint compares.
type Op string

// Operators. Those that order compare versions where the value is one, with a v
// before it or two dots in it, and numbers otherwise.
const (
	Equal    Op = "=="
	NotEqual Op = "!="
	In       Op = "in"    // one of several values, with commas between
	NotIn    Op = "notin" // none of them
	Like     Op = "=~"    // a regular expression (RE2) that matches a part of the value
	AtLeast  Op = ">="
	AtMost   Op = "<="
	Above    Op = ">"
	Below    Op = "<"
)

// operators in the order in which they are looked for: longer ones first.
var operators = []Op{Equal, NotEqual, Like, AtLeast, AtMost, Above, Below, NotIn, In}

// Constraint is one rule about a node, in Docker's words: "node.labels.zone==a".
type Constraint struct {
	Key   string
	Op    Op
	Value string
}

// ParseConstraint reads "KEY OP VALUE". Keys: node.id, node.name (node.hostname),
// node.role, node.platform.os, node.platform.arch, engine.version,
// node.labels.NAME, engine.labels.NAME. The error is a *FieldError without a
// field prefix other than "constraint".
func ParseConstraint(s string) (Constraint, error) {
	const hint = `write it as node.labels.zone==a, node.name!=n1 or node.labels.disk in ssd,nvme`
	if len(s) > maxConstraintLength {
		return Constraint{}, Invalid("constraint", fmt.Sprintf("%q has %d characters, at most %d are allowed", clip(s), len(s), maxConstraintLength), "shorten it")
	}
	key := strings.TrimSpace(s)
	if i := strings.IndexAny(key, " \t\n=!<>"); i >= 0 {
		key = key[:i]
	}
	rest := strings.TrimSpace(strings.TrimSpace(s)[len(key):])
	i := slices.IndexFunc(operators, func(op Op) bool { return op.begins(rest) })
	if i < 0 {
		return Constraint{}, Invalid("constraint", fmt.Sprintf("%q has neither == nor != nor another operator", clip(s)), hint)
	}
	c := Constraint{Key: key, Op: operators[i], Value: strings.TrimSpace(rest[len(operators[i]):])}
	switch {
	case c.Value == "":
		return Constraint{}, Invalid("constraint", fmt.Sprintf("%q has no value", clip(s)), hint)
	case !knownConstraintKey(c.Key):
		return Constraint{}, Invalid("constraint", fmt.Sprintf("%q is not a key that nodes have", clip(c.Key)),
			"use node.id, node.name, node.role, node.platform.os, node.platform.arch, engine.version, node.labels.NAME or engine.labels.NAME")
	}
	return c, c.validateValue()
}

// begins reports whether s starts with the operator; a word ends with a space.
func (op Op) begins(s string) bool {
	rest, ok := strings.CutPrefix(s, string(op))
	if op == In || op == NotIn {
		return ok && rest != strings.TrimLeft(rest, " \t\n")
	}
	return ok
}

func (c Constraint) validateValue() error {
	switch c.Op {
	case In, NotIn:
		if slices.Contains(c.values(), "") {
			return Invalid("constraint", fmt.Sprintf("%q has an empty value", clip(c.Value)), "write it as node.labels.disk in ssd,nvme")
		}
	case Like:
		if _, err := regexp.Compile(c.Value); err != nil {
			return Invalid("constraint", fmt.Sprintf("%q is not a regular expression: %v", clip(c.Value), err), "see https://github.com/google/re2/wiki/Syntax")
		}
	case AtLeast, AtMost, Above, Below:
		if _, ok := parseVersion(c.Value); !ok {
			return Invalid("constraint", fmt.Sprintf("%q is neither a number nor a version", clip(c.Value)), "give one such as 8, 1.5 or v24.0.7")
		}
	}
	return nil
}

func (c Constraint) values() []string {
	list := strings.Split(c.Value, ",")
	for i := range list {
		list[i] = strings.TrimSpace(list[i])
	}
	return list
}

func knownConstraintKey(key string) bool {
	switch key {
	case "node.id", "node.name", "node.hostname", "node.role", "node.platform.os", "node.platform.arch", "engine.version":
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
func (c Constraint) Matches(n *Node) bool { return c.Matcher()(n.Value(c.Key)) }

// Matcher is the constraint's question about a node's value of its key.
// Values are equal without regard to case, as in Docker; a value that is no
// number, or no version, is neither above nor below one.
func (c Constraint) Matcher() func(value string) bool {
	switch c.Op {
	case NotEqual:
		return func(value string) bool { return !strings.EqualFold(value, c.Value) }
	case In, NotIn:
		list := c.values()
		return func(value string) bool {
			return slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(value, s) }) == (c.Op == In)
		}
	case Like:
		re, err := regexp.Compile(c.Value)
		return func(value string) bool { return err == nil && re.MatchString(value) }
	case AtLeast, AtMost, Above, Below:
		return c.ordered()
	}
	return func(value string) bool { return strings.EqualFold(value, c.Value) }
}

func (c Constraint) ordered() func(value string) bool {
	limit, ok := parseVersion(c.Value)
	return func(value string) bool {
		v, valid := limit.parseAs(value)
		if !ok || !valid {
			return false
		}
		switch order := v.compare(limit); c.Op {
		case AtLeast:
			return order >= 0
		case AtMost:
			return order <= 0
		case Above:
			return order > 0
		default:
			return order < 0
		}
	}
}

func (c Constraint) String() string {
	if c.Op == In || c.Op == NotIn {
		return c.Key + " " + string(c.Op) + " " + c.Value
	}
	return c.Key + string(c.Op) + c.Value
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
	case "engine.version":
		return n.EngineVersion
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
