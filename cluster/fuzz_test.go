package cluster

import "testing"

// A constraint that is understood is understood the same once it is written out.
func FuzzParseConstraint(f *testing.F) {
	for _, s := range []string{"node.labels.zone==a", "node.name != n1", "engine.labels.x.y==a==b", "node.id!=", "==", "node.role!=x==y"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := ParseConstraint(s)
		if err != nil {
			return
		}
		op := "=="
		if c.Negate {
			op = "!="
		}
		again, err := ParseConstraint(c.Key + op + c.Value)
		if err != nil || again != c {
			t.Errorf("%q is %+v, and again %+v, %v", s, c, again, err)
		}
		c.Matches(&Node{Labels: map[string]string{"zone": "a"}})
	})
}
