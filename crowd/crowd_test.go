package crowd

import (
	"slices"
	"sync"
	"testing"
)

func TestTheOldestGoes(t *testing.T) {
	var gone []string
	c := New(2, func(s string) { gone = append(gone, s) })
	for _, tc := range []struct {
		do        func(string)
		who       string
		left, out []string
	}{
		{c.Enter, "a", []string{"a"}, nil},
		{c.Enter, "b", []string{"a", "b"}, nil},
		{c.Enter, "a", []string{"b", "a"}, nil}, // is the newest now
		{c.Enter, "c", []string{"a", "c"}, []string{"b"}},
		{c.Leave, "b", []string{"a", "c"}, []string{"b"}}, // was given up
		{c.Leave, "a", []string{"c"}, []string{"b"}},
		{c.Leave, "a", []string{"c"}, []string{"b"}},
		{c.Enter, "d", []string{"c", "d"}, []string{"b"}},
		{c.Enter, "b", []string{"d", "b"}, []string{"b", "c"}},
	} {
		tc.do(tc.who)
		if all := c.All(); !slices.Equal(all, tc.left) || !slices.Equal(gone, tc.out) {
			t.Fatalf("after %s: there are %v and %v were given up, want %v and %v", tc.who, all, gone, tc.left, tc.out)
		}
	}
}

// Whoever comes while many do either leaves, is given up, or is still there.
func TestManyAtOnce(t *testing.T) {
	const limit, visitors, visits = 4, 8, 1000
	type visit struct{ who, n int }
	var mu sync.Mutex
	given := map[visit]bool{}
	c := New(limit, func(v visit) {
		mu.Lock()
		defer mu.Unlock()
		if given[v] {
			t.Errorf("%v was given up twice", v)
		}
		given[v] = true
	})
	var all sync.WaitGroup
	for who := range visitors {
		all.Go(func() {
			for n := range visits {
				v := visit{who, n}
				c.Enter(v)
				if there := len(c.All()); there > limit {
					t.Errorf("%d are there", there)
				}
				if n%2 == 0 {
					c.Leave(v)
				}
			}
		})
	}
	all.Wait()
	left := c.All()
	for _, v := range left {
		if given[v] || v.n%2 == 0 {
			t.Errorf("%v is still there", v)
		}
	}
	stayed := 0
	for v := range given {
		if v.n%2 == 1 {
			stayed++
		}
	}
	if stayed+len(left) != visitors*visits/2 {
		t.Errorf("%d were given up and %d are there, of %d that did not leave", stayed, len(left), visitors*visits/2)
	}
}

// One who is given up slowly holds up nobody: others come and go meanwhile.
func TestGivingUpHoldsUpNobody(t *testing.T) {
	var c *Crowd[int]
	var gone []int
	c = New(1, func(v int) {
		c.Leave(v)
		gone = append(gone, v)
		if v == 1 {
			c.Enter(3)
		}
	})
	c.Enter(1)
	c.Enter(2)
	if !slices.Equal(c.All(), []int{3}) || !slices.Equal(gone, []int{1, 2}) {
		t.Errorf("there are %v, %v were given up", c.All(), gone)
	}
}
