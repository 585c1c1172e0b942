package probe

import (
	"testing"
	"time"

	"github.com/musterhq/muster/cluster"
)

// Each letter is a check, a second after the one before, from the first second of
// the run on: + passed, - failed. The verdicts: s(tarting), h(ealthy), u(nhealthy).
func TestState(t *testing.T) {
	for name, tc := range map[string]struct {
		probe         cluster.Probe
		before        cluster.Health
		results, want string
	}{
		"the first that passes":          {cluster.Probe{}, "", "--+", "ssh"},
		"failures within the grace":      {cluster.Probe{Interval: time.Second, StartPeriod: 4 * time.Second}, "", "---------", "sssssuuuu"},
		"the interval is a grace":        {cluster.Probe{Interval: 3 * time.Second, Threshold: 1}, "", "---", "ssu"},
		"the grace ends with a success":  {cluster.Probe{StartPeriod: time.Minute}, "", "-+---", "shhhu"},
		"in a row":                       {cluster.Probe{}, cluster.HealthHealthy, "--+--+---", "hhhhhhhhu"},
		"one success heals":              {cluster.Probe{Threshold: 1}, cluster.HealthHealthy, "-+-+", "uhuh"},
		"an earlier agent found it sick": {cluster.Probe{}, cluster.HealthUnhealthy, "-+", "uh"},
		"an earlier agent found it well": {cluster.Probe{}, cluster.HealthHealthy, "---", "hhu"},
	} {
		s := state{health: tc.before}
		if tc.before == "" {
			s.health = cluster.HealthStarting
		}
		got := ""
		for i, r := range tc.results {
			failure := ""
			if r == '-' {
				failure = "no"
			}
			s = s.take(&tc.probe, time.Duration(i+1)*time.Second, failure)
			got += string(s.health[0])
			if unhealthy := s.health == cluster.HealthUnhealthy; unhealthy != (s.why != "") {
				t.Errorf("%s: %+v: a reason for being unhealthy, and for nothing else", name, s)
			}
		}
		if got != tc.want {
			t.Errorf("%s: %s gives %s, want %s", name, tc.results, got, tc.want)
		}
	}
}

func TestPauses(t *testing.T) {
	p := &cluster.Probe{Interval: 7 * time.Second}
	starting, healthy := state{health: cluster.HealthStarting}, state{health: cluster.HealthHealthy}
	for name, tc := range map[string]struct{ got, want time.Duration }{
		"a container that starts":  {starting.pause(p, time.Second), soon},
		"one that takes too long":  {starting.pause(p, 8*time.Second), p.Interval},
		"one that has passed":      {healthy.pause(p, time.Second), p.Interval},
		"one checked all the time": {starting.pause(&cluster.Probe{Interval: 200 * time.Millisecond}, 0), 200 * time.Millisecond},
	} {
		if tc.got != tc.want {
			t.Errorf("%s: %s, want %s", name, tc.got, tc.want)
		}
	}
}
