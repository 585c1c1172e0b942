package cluster

import (
	"strings"
	"testing"
)

func TestParseConstraint(t *testing.T) {
	for in, want := range map[string]string{
		"node.labels.zone==a":       "node.labels.zone==a",
		" node.labels.zone == a ":   "node.labels.zone==a",
		"node.labels.zone != a":     "node.labels.zone!=a",
		"node.labels.x==a!=b":       "node.labels.x==a!=b",
		"node.labels.x!=a==b":       "node.labels.x!=a==b",
		"node.name==n1":             "node.name==n1",
		"engine.labels.disk==ssd":   "engine.labels.disk==ssd",
		"node.platform.os==linux":   "node.platform.os==linux",
		"zone==a":                   "",
		"node.labels.==a":           "",
		"node.labels.zone":          "",
		"node.labels.zone=a":        "",
		"node.labels.zone==":        "",
		"==a":                       "",
		"":                          "",
		"node.ip==10.0.0.1":         "",
		"node.labels.zone == \t\n ": "",
	} {
		c, err := ParseConstraint(in)
		if (err == nil) != (want != "") {
			t.Errorf("ParseConstraint(%q): %v", in, err)
			continue
		}
		if err == nil && c.String() != want {
			t.Errorf("ParseConstraint(%q) = %q, want %q", in, c, want)
		}
	}
}

func TestParseConstraintsBounds(t *testing.T) {
	list := strings.Split(strings.Repeat("node.id==x,", MaxConstraints), ",")
	if _, err := ParseConstraints(list[:MaxConstraints]); err != nil {
		t.Errorf("%d constraints: %v", MaxConstraints, err)
	}
	if _, err := ParseConstraints(list); err == nil {
		t.Errorf("%d constraints are accepted", len(list))
	}
}

func TestConstraintMatches(t *testing.T) {
	node := &Node{
		ID: "01J", Name: "n1", OS: "linux", Arch: "amd64", Voter: true,
		Labels:       map[string]string{"zone": "a"},
		EngineLabels: map[string]string{"disk": "SSD"},
	}
	for in, want := range map[string]bool{
		"node.labels.zone==a":     true,
		"node.labels.zone==A":     true, // as in Docker
		"node.labels.zone!=a":     false,
		"node.labels.zone!=b":     true,
		"node.labels.other!=a":    true, // a missing label is empty
		"node.labels.other==a":    false,
		"node.id==01J":            true,
		"node.name==n1":           true,
		"node.hostname==n1":       true,
		"node.hostname!=n1":       false,
		"node.role==manager":      true,
		"node.role==worker":       false,
		"node.platform.os==linux": true,
		"node.platform.arch!=arm": true,
		"engine.labels.disk==ssd": true,
	} {
		c, err := ParseConstraint(in)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Matches(node); got != want {
			t.Errorf("%q matches: %v, want %v", in, got, want)
		}
	}
}
