package worker

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

func TestRestartsAreCountedWhenTheyStart(t *testing.T) {
	a, b := assign("t1"), assign("t2")
	in := input([]Assignment{a, b}, exitedBox("t1", 1, 1, time.Hour), exitedBox("t2", 1, 1, time.Hour))
	in.Limits.Starts = 1
	d := Plan(in)
	if got := []int{d.Memory.Tasks["t1"].Restarts, d.Memory.Tasks["t2"].Restarts}; !slices.Equal(got, []int{1, 0}) {
		t.Errorf("restarts = %v, want 1 of the one that was admitted", got)
	}
}

func TestCountsSurviveTheAgent(t *testing.T) {
	c := exitedBox("t1", 1, time.Second, time.Second)
	seen := cluster.Observed{Phase: cluster.PhaseBackoff, Restarts: 3, ContainerID: c.ID, Finished: c.Finished, Started: c.Started}
	in := input([]Assignment{assign("t1", observed(seen), restart(cluster.RestartPolicy{Condition: cluster.RestartNever}))}, c)
	d := Plan(in)
	if l := d.Memory.Tasks["t1"]; l.Restarts != 4 || l.Final {
		t.Errorf("memory %+v, want the fourth restart, and the exit not counted again", l)
	}
}

func TestTheClusterRemindsTheAgent(t *testing.T) {
	over := cluster.Observed{Phase: cluster.PhaseExited, Final: true, Error: "gave up", ExitCode: 5, Restarts: 7}
	in := input([]Assignment{assign("t1", observed(over))}, exitedBox("t1", 5, time.Second, time.Minute))
	in.Memory.Tasks = map[cluster.TaskID]Local{"t1": {Restarts: 1}}
	d := Plan(in)
	if o := d.Memory.Tasks["t1"].Last; len(d.Actions) != 0 || !o.Final || o.Error != "gave up" || o.Restarts != 7 {
		t.Errorf("actions %v, observed %+v, want it over", words(d.Actions), o)
	}
}

func TestBackoffGrows(t *testing.T) {
	for name, tc := range map[string]struct {
		policy cluster.RestartPolicy
		want   []time.Duration // for streaks 1, 2, ...
	}{
		"default":   {cluster.RestartPolicy{}, []time.Duration{1, 2, 4, 8, 16, 32, 60, 60}},
		"own delay": {cluster.RestartPolicy{Delay: 20 * time.Second}, []time.Duration{20, 40, 60, 60}},
		"long":      {cluster.RestartPolicy{Delay: 5 * time.Minute}, []time.Duration{300, 300}},
	} {
		for i, want := range tc.want {
			if got := delay(tc.policy, i+1); got != want*time.Second {
				t.Errorf("%s: delay %d = %v, want %v", name, i+1, got, want*time.Second)
			}
		}
	}
	if got := delay(cluster.RestartPolicy{}, 1_000_000); got != maxDelay {
		t.Errorf("delay after a million failures = %v", got)
	}
}

func TestSettle(t *testing.T) {
	a := assign("t1")
	action := func(k ActionKind) Action {
		return Action{Kind: k, Task: "t1", Image: "web@sha256:1", Assignment: &a}
	}
	for name, tc := range map[string]struct {
		kind     ActionKind
		err      error
		streak   int
		attempts int
		anew     bool
		missing  bool
	}{
		"success":                 {kind: Create},
		"image missing":           {kind: Create, err: runtime.ErrNotFound, missing: true},
		"container or net gone":   {kind: Start, err: runtime.ErrNotFound, streak: 1, anew: true},
		"silent engine":           {kind: Create, err: runtime.ErrEngine, streak: 1},
		"busy port":               {kind: Create, err: runtime.ErrPortBusy, streak: 1},
		"name in use":             {kind: Create, err: runtime.ErrConflict, streak: 1},
		"refused":                 {kind: Create, err: runtime.ErrRefused, streak: 1, attempts: 1},
		"bad spec":                {kind: Start, err: runtime.ErrInvalid, streak: 1, attempts: 1},
		"engine's internal error": {kind: Start, err: errors.New("oops"), streak: 1, attempts: 1},
	} {
		t.Run(name, func(t *testing.T) {
			m := Memory{Tasks: map[cluster.TaskID]Local{"t1": {}}, Images: map[string]Image{}}
			m.Settle(action(tc.kind), tc.err, now)
			l := m.Tasks["t1"]
			if l.Streak != tc.streak || l.Attempts != tc.attempts || l.Anew != tc.anew || m.Images["web@sha256:1"].Missing != tc.missing {
				t.Errorf("memory = %+v, %+v", l, m.Images)
			}
			if waits := l.NextTry.After(now); waits != (tc.streak > 0) {
				t.Errorf("next try %v, want it to wait: %v", l.NextTry, tc.streak > 0)
			}
		})
	}
}

// Only where nobody has the image is it a failure that is told at once.
func TestAnImageThatNobodyHas(t *testing.T) {
	a := assign("t1")
	for name, tc := range map[string]struct {
		err   error
		phase cluster.Phase
		none  bool
	}{
		"nobody has it":                {fmt.Errorf("bring it: %w", runtime.ErrNotFound), cluster.PhaseBackoff, true},
		"the registry does not answer": {errors.New("no route to host"), cluster.PhasePulling, false},
	} {
		m := Memory{Images: map[string]Image{"web@sha256:1": {Missing: true}}}
		m.Settle(Action{Kind: Fetch, Image: "web@sha256:1", Assignment: &a}, tc.err, now)
		in := input([]Assignment{a})
		in.Memory = m
		if o := Plan(in).Memory.Tasks["t1"].Last; o.Phase != tc.phase || o.NoImage != tc.none || o.Error != tc.err.Error() {
			t.Errorf("%s: observed %+v", name, o)
		}
		m.Settle(Action{Kind: Fetch, Image: "web@sha256:1", Assignment: &a}, nil, now)
		if i := m.Images["web@sha256:1"]; i.Missing || i.Nowhere {
			t.Errorf("%s: fetched, and remembered as %+v", name, i)
		}
	}
}

func TestFetchesAreSpacedEvenWhenTheySucceed(t *testing.T) {
	a := assign("t1")
	m := Memory{Images: map[string]Image{"web@sha256:1": {Missing: true}}}
	for range 3 {
		m.Settle(Action{Kind: Fetch, Image: "web@sha256:1", Assignment: &a}, nil, now)
	}
	if i := m.Images["web@sha256:1"]; i.Missing || !i.NextTry.Equal(now.Add(4*time.Second)) {
		t.Errorf("after three fetches without a container: %+v, want the next in 4s", i)
	}
}
