//go:build linux

package chaos

import (
	"strings"
	"testing"
	"time"
)

func TestReportSaysWhatWasStagedAndWhatNot(t *testing.T) {
	r := newReport(Config{Seed: 7, Classes: []string{"a", "b", "c", "a"}})
	r.Faults["a"], r.Faults["c"] = 2, 1
	r.Operations, r.Unknown, r.Judged, r.Slowest = 40, 2, true, 3*time.Second
	r.Broken = []string{"x"}
	var out strings.Builder
	r.Print(&out)
	const want = `   2  a
   1  c
never  b
seed 7: 3 faults staged, of 2 classes out of 3
40 operations of users (2 with an unknown outcome), which porcupine checked
0 looks; at most 3.0 s from the end of a fault until all was as desired
1 invariants broken
`
	if out.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", out.String(), want)
	}
}

func TestRunGoesOn(t *testing.T) {
	for _, c := range []struct {
		cfg    Config
		rounds int
		soFar  time.Duration
		want   bool
	}{
		{Config{For: time.Minute}, 100, 59 * time.Second, true},
		{Config{For: time.Minute}, 0, time.Minute, false},
		{Config{Classes: []string{"a", "b"}}, 1, time.Hour, true},
		{Config{Classes: []string{"a", "b"}}, 2, 0, false},
	} {
		if got := c.cfg.goesOn(c.rounds, c.soFar); got != c.want {
			t.Errorf("%+v after %d rounds and %v: %v", c.cfg, c.rounds, c.soFar, got)
		}
	}
}
