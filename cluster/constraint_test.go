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
		"node.name in n1, n2":       "node.name in n1, n2",
		"node.name notin n1":        "node.name notin n1",
		"node.name =~ ^n[0-9]+$":    "node.name=~^n[0-9]+$",
		"node.labels.cores >= 8":    "node.labels.cores>=8",
		"node.labels.cores<1.5":     "node.labels.cores<1.5",
		"engine.version > v24.0":    "engine.version>v24.0",
		"node.name in":              "",
		"node.name in n1,,n2":       "",
		"node.name inside":          "",
		"node.name =~ (":            "",
		"node.labels.cores>=many":   "",
		"node.labels.cores>=NaN":    "",
		"node.labels.cores>=Inf":    "",
		"node.labels.cores>=1.2.x":  "",
		"node.labels.cores=>1":      "",
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
		Labels: map[string]string{"zone": "a", "cores": "12", "text": "many", "nan": "NaN", "app": "v1.9"}, EngineVersion: "24.0.7",
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

		"node.labels.zone in a,b":     true,
		"node.labels.zone in B , A":   true,
		"node.labels.zone in b,c":     false,
		"node.labels.zone notin b,c":  true,
		"node.labels.zone notin a":    false,
		"node.labels.other notin a":   true,
		"node.name=~^n[0-9]+$":        true,
		"node.name=~2":                false,
		"node.labels.cores>=8":        true, // as numbers: "12" is not below "8"
		"node.labels.cores>=12":       true,
		"node.labels.cores>12":        false,
		"node.labels.cores<12.5":      true,
		"node.labels.cores<=11":       false,
		"node.labels.text>=1":         false, // no number is neither above
		"node.labels.text<1":          false, // nor below
		"node.labels.nan<1":           false,
		"node.labels.other<1":         false,
		"engine.version>=24.0.7":      true,
		"engine.version>=v24":         true,
		"engine.version<v24.0.10":     true, // as versions: 7 is below 10
		"engine.version>24.0.7-rc.1":  true, // what comes before a release is below it
		"node.labels.app<v1.10":       true,
		"node.labels.app>=1.10.0":     false,
		"node.labels.text>=v1":        false,
		"node.labels.app >= v1.2.3.4": true,
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
