package cluster

import "testing"

// A constraint that is understood is understood the same once it is written out.
func FuzzParseConstraint(f *testing.F) {
	for _, s := range []string{"node.labels.zone==a", "node.name != n1", "engine.labels.x.y==a==b", "node.id!=", "==", "node.role!=x==y", "node.id in a, b", "node.id notin a", "engine.version>=v24.0", "node.labels.n<1.5", "node.name=~^n[0-9]+$"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := ParseConstraint(s)
		if err != nil {
			return
		}
		again, err := ParseConstraint(c.String())
		if err != nil || again != c {
			t.Errorf("%q is %+v, and again %+v, %v", s, c, again, err)
		}
		c.Matches(&Node{Labels: map[string]string{"zone": "a", "n": "NaN"}, EngineVersion: "24.0.7-rc.1"})
	})
}
