package chaos

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// told is a call of a test's history: it lasts from one tick to another.
type told struct {
	from, to time.Duration
	in       input
	out      output
}

func TestHistoriesOfOneCopy(t *testing.T) {
	put := input{verb: deploy, stack: "a", version: "v1", replicas: 2}
	is := func(version string, n int) output { return output{seen: stack{true, version, n}} }
	see := input{verb: look, stack: "a"}
	for name, tc := range map[string]struct {
		ops  []told
		fits bool
	}{
		"seen after it was told":  {[]told{{0, 1, put, output{}}, {2, 3, see, is("v1", 2)}}, true},
		"lost":                    {[]told{{0, 1, put, output{}}, {2, 3, see, output{}}}, false},
		"old, side by side":       {[]told{{0, 4, put, output{}}, {2, 3, see, output{}}}, true},
		"seen and then not":       {[]told{{0, 9, put, output{}}, {2, 3, see, is("v1", 2)}, {4, 5, see, output{}}}, false},
		"unknown, and there":      {[]told{{0, 1, put, output{unknown: true}}, {4, 5, see, is("v1", 2)}}, true},
		"unknown, and not there":  {[]told{{0, 1, put, output{unknown: true}}, {4, 5, see, output{}}}, true},
		"scaled":                  {[]told{{0, 1, put, output{}}, {2, 3, input{verb: scale, stack: "a", replicas: 5}, output{}}, {4, 5, see, is("v1", 5)}}, true},
		"scaled, and the old one": {[]told{{0, 1, put, output{}}, {2, 3, input{verb: scale, stack: "a", replicas: 5}, output{}}, {4, 5, see, is("v1", 2)}}, false},
		"scaled nothing":          {[]told{{0, 1, input{verb: scale, stack: "a", replicas: 5}, output{}}}, false},
		"nothing to scale":        {[]told{{0, 1, input{verb: scale, stack: "a", replicas: 5}, output{absent: true}}}, true},
		"removed, and there":      {[]told{{0, 1, put, output{}}, {2, 3, input{verb: remove, stack: "a"}, output{}}, {4, 5, see, is("v1", 2)}}, false},
		"other stacks":            {[]told{{0, 1, put, output{}}, {2, 3, input{verb: look, stack: "b"}, output{}}}, true},
	} {
		h := &history{}
		for i, o := range tc.ops {
			h.add(i, h.begun.Add(o.from), o.in, o.out)
			if !o.out.unknown {
				h.ops[i].Return = int64(o.to)
			}
		}
		want := legal
		if !tc.fits {
			want = illegal
		}
		if got, _ := h.check(time.Minute); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestMisfitIsShown(t *testing.T) {
	h := &history{}
	for i, in := range []input{{verb: deploy, stack: "a", version: "v1", replicas: 2}, {verb: look, stack: "a"}} {
		h.add(i, h.begun.Add(time.Duration(2*i)), in, output{})
		h.ops[i].Return = int64(2*i + 1)
	}
	_, got := h.check(time.Minute)
	for _, want := range []string{"stack a", "user 0: deploy a", "none of:\n    0.000s to 0.000s user 1: ls a"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in:\n%s", want, got)
		}
	}
}

func TestScheduleIsTheSeeds(t *testing.T) {
	classes := []string{"a", "b", "c", "d"}
	draw := func(seed uint64) (out []Step) {
		next := Schedule(seed, classes)
		for range 12 {
			out = append(out, next())
		}
		return out
	}
	first := draw(7)
	if d := cmp.Diff(first, draw(7)); d != "" {
		t.Errorf("the same seed differs:\n%s", d)
	}
	if cmp.Equal(first, draw(8)) {
		t.Error("another seed is the same")
	}
	times := map[string]int{}
	for _, s := range first {
		times[s.Class]++
	}
	for _, c := range classes {
		if times[c] != 3 {
			t.Errorf("class %s comes %d times in three decks", c, times[c])
		}
	}
}

func TestClassesInTurn(t *testing.T) {
	next := InTurn(7, []string{"b", "a"})
	for i, want := range []string{"b", "a", "b", "a"} {
		if got := next(); got.Class != want || got.For < time.Second {
			t.Errorf("step %d: %+v, want class %s", i, got, want)
		}
	}
}
