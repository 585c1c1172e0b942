package worker

import (
	"net/netip"
	"testing"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

func probed(a *Assignment) {
	a.Template.Container.Probe = &cluster.Probe{TCP: &cluster.TCPProbe{Port: 80}}
}

func engineSays(h cluster.Health) func(*runtime.Container) {
	return func(c *runtime.Container) { c.Health = h }
}

// seen makes t1 known as a container of this agent that runs since a minute.
func seen(h cluster.Health) func(*Input) {
	return func(in *Input) {
		in.Memory.Tasks = map[cluster.TaskID]Local{"t1": {
			Container: "c-t1", Ran: true,
			Last: cluster.Observed{Phase: cluster.PhaseRunning, ContainerID: "c-t1", Started: ago(time.Minute), Health: h, Error: "health check: before"},
		}}
	}
}

func says(h cluster.Health, why string) func(*Input) {
	return func(in *Input) { in.Verdicts = map[string]Verdict{"c-t1": {Health: h, Why: why}} }
}

func TestTheWorseVerdictCounts(t *testing.T) {
	const none, starting, healthy, unhealthy = cluster.HealthNone, cluster.HealthStarting, cluster.HealthHealthy, cluster.HealthUnhealthy
	for _, tc := range []struct{ a, b, want cluster.Health }{
		{none, none, none},
		{none, healthy, healthy},
		{healthy, starting, starting},
		{starting, unhealthy, unhealthy},
		{healthy, unhealthy, unhealthy},
		{"of a later engine", healthy, healthy},
	} {
		if got, back := worse(tc.a, tc.b), worse(tc.b, tc.a); got != tc.want || back != tc.want {
			t.Errorf("%q and %q: %q, %q, want %q", tc.a, tc.b, got, back, tc.want)
		}
	}
}

func TestHealthOfARunningContainer(t *testing.T) {
	engineDown := func(in *Input) { in.EngineUp = false }
	for name, tc := range map[string]struct {
		engine  cluster.Health
		change  func(*Input)
		want    cluster.Health
		failure string
	}{
		"no check has ended":            {change: seen(""), want: cluster.HealthStarting},
		"none has again, and it was so": {change: seen(cluster.HealthHealthy), want: cluster.HealthHealthy},
		"it passed":                     {change: both(seen(""), says(cluster.HealthHealthy, "")), want: cluster.HealthHealthy},
		"it failed": {
			change: both(seen(""), says(cluster.HealthUnhealthy, "GET x: 503")), want: cluster.HealthUnhealthy, failure: "health check: GET x: 503",
		},
		"the engine's still starts": {engine: cluster.HealthStarting, change: both(seen(""), says(cluster.HealthHealthy, "")), want: cluster.HealthStarting},
		"the engine's failed":       {engine: cluster.HealthUnhealthy, change: both(seen(""), says(cluster.HealthHealthy, "")), want: cluster.HealthUnhealthy},
		"it failed, and the engine is silent": {
			change: both(engineDown, both(seen(cluster.HealthHealthy), says(cluster.HealthUnhealthy, "x"))), want: cluster.HealthUnhealthy, failure: "health check: x",
		},
	} {
		t.Run(name, func(t *testing.T) {
			in := input([]Assignment{assign("t1", probed)}, box("t1", runtime.StatusRunning, engineSays(tc.engine)))
			tc.change(&in)
			d := Plan(in)
			if len(d.Observed) != 1 || d.Observed[0].Observed.Health != tc.want || d.Observed[0].Observed.Error != tc.failure || len(d.Actions) != 0 {
				t.Errorf("observed %+v, actions %v; want %q, %q and none", d.Observed, words(d.Actions), tc.want, tc.failure)
			}
		})
	}
}

// A new agent says nothing of what it has not checked: the tables keep the task.
func TestANewAgentChecksBeforeItSpeaks(t *testing.T) {
	for name, tc := range map[string]struct {
		observed cluster.Observed
		ran      time.Duration
		before   cluster.Health
	}{
		"of which it knows nothing":        {ran: time.Minute, before: cluster.HealthHealthy},
		"that has just started":            {ran: time.Second, before: cluster.HealthStarting},
		"that was unhealthy":               {cluster.Observed{Phase: cluster.PhaseRunning, ContainerID: "c-t1", Started: ago(time.Minute), Health: cluster.HealthUnhealthy}, time.Minute, cluster.HealthUnhealthy},
		"that was unhealthy and restarted": {cluster.Observed{Phase: cluster.PhaseRunning, ContainerID: "c-t1", Started: ago(time.Hour), Health: cluster.HealthUnhealthy}, time.Second, cluster.HealthStarting},
	} {
		t.Run("a container "+name, func(t *testing.T) {
			address := netip.MustParseAddr("172.17.0.2")
			in := input([]Assignment{assign("t1", probed, observed(tc.observed))},
				box("t1", runtime.StatusRunning, func(c *runtime.Container) { c.Started, c.Address = ago(tc.ran), address }))
			d := Plan(in)
			if len(d.Observed)+len(d.Actions) != 0 {
				t.Errorf("observed %+v, actions %v, want nothing", d.Observed, words(d.Actions))
			}
			if len(d.Checks) != 1 || d.Checks[0].Before != tc.before || d.Checks[0].Address != address || d.Checks[0].Container != "c-t1" {
				t.Errorf("checks %+v, want one of what was %q before", d.Checks, tc.before)
			}
			in.Memory = d.Memory
			says(cluster.HealthHealthy, "")(&in)
			if d = Plan(in); len(d.Observed) != 1 || d.Observed[0].Observed.Health != cluster.HealthHealthy {
				t.Errorf("after the first check: observed %+v", d.Observed)
			}
		})
	}
}

func TestWhatIsChecked(t *testing.T) {
	onHost := func(a *Assignment) { a.Template.Container.NetworkMode = "host" }
	for name, tc := range map[string]struct {
		task   Assignment
		status runtime.Status
		want   string // the address; "": it is not checked
	}{
		"no probe":            {assign("t1"), runtime.StatusRunning, ""},
		"told to stop":        {assign("t1", probed, stopped), runtime.StatusRunning, ""},
		"not running":         {assign("t1", probed), runtime.StatusCreated, ""},
		"on the host":         {assign("t1", probed, onHost), runtime.StatusRunning, "127.0.0.1"},
		"the cluster's":       {assign("t1", probed, networked), runtime.StatusRunning, "10.194.0.2"},
		"not known":           {assign("t1", probed), runtime.StatusRunning, "invalid IP"},
		"of a paused process": {assign("t1", probed, networked), runtime.StatusPaused, "10.194.0.2"},
	} {
		got := ""
		for _, c := range Plan(input([]Assignment{tc.task}, box("t1", tc.status))).Checks {
			got = c.Address.String()
		}
		if got != tc.want {
			t.Errorf("%s: checked at %q, want %q", name, got, tc.want)
		}
	}
}

func TestUnhealthyContainersAreRestarted(t *testing.T) {
	sickFor := func(d time.Duration) func(*Input) {
		return both(seen(cluster.HealthUnhealthy), func(in *Input) {
			l := in.Memory.Tasks["t1"]
			l.Sick = ago(d)
			in.Memory.Tasks["t1"] = l
		})
	}
	never := restart(cluster.RestartPolicy{Condition: cluster.RestartNever})
	once := restart(cluster.RestartPolicy{MaxAttempts: 1})
	attempt := func(in *Input) {
		l := in.Memory.Tasks["t1"]
		l.Attempts, l.Streak = 1, 1
		l.Last.Started = ago(10 * time.Second)
		in.Memory.Tasks["t1"] = l
		in.Actual[0].Started = ago(10 * time.Second)
	}
	paused := func(in *Input) { in.Actual[0].Status = runtime.StatusPaused }
	for name, tc := range map[string]struct {
		task   Assignment
		change func(*Input)
		want   []string
		final  bool
	}{
		"not at once":                 {assign("t1"), seen(""), []string{}, false},
		"after the back-off":          {assign("t1"), sickFor(time.Second), []string{"stop c-t1"}, false},
		"later after more failures":   {assign("t1"), both(sickFor(time.Second), attempt), []string{}, false},
		"not if nothing is restarted": {assign("t1", never), sickFor(time.Hour), []string{}, false},
		"not if it is paused":         {assign("t1"), both(sickFor(time.Hour), paused), []string{}, false},
		"and given up":                {assign("t1", once), both(sickFor(2*time.Second), attempt), []string{"stop c-t1"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			in := input([]Assignment{tc.task}, box("t1", runtime.StatusRunning, engineSays(cluster.HealthUnhealthy)))
			tc.change(&in)
			d := Plan(in)
			if got := words(d.Actions); len(got) != len(tc.want) || len(got) > 0 && got[0] != tc.want[0] {
				t.Errorf("actions %v, want %v", got, tc.want)
			}
			if l := d.Memory.Tasks["t1"]; l.Final != tc.final || l.Last.Phase != cluster.PhaseRunning || l.Last.Health != cluster.HealthUnhealthy {
				t.Errorf("memory %+v, want it unhealthy, final %v", l, tc.final)
			}
		})
	}
}

// The whole way: unhealthy, stopped, started again at once, counted once.
func TestAnUnhealthyContainerComesBack(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *host) {
		onFailure := restart(cluster.RestartPolicy{Condition: cluster.RestartOnFailure})
		h.assign(assign("t1", onFailure, func(a *Assignment) {
			a.Template.Container.Healthcheck = &cluster.Healthcheck{Test: []string{"CMD", "x"}}
		}))
		h.pass(time.Minute)
		id := h.box("t1").ID
		h.engine.SetHealth(id, cluster.HealthUnhealthy)
		h.pass(0)
		if o := h.expect("t1", cluster.PhaseRunning); o.Health != cluster.HealthUnhealthy {
			t.Errorf("observed %+v, want it unhealthy at once", o)
		}
		h.pass(500 * time.Millisecond)
		h.engine.SetHealth(id, cluster.HealthHealthy)
		h.pass(time.Minute)
		if o := h.expect("t1", cluster.PhaseRunning); o.Restarts != 0 || o.Health != cluster.HealthHealthy {
			t.Errorf("observed %+v, want no restart of what is well again", o)
		}
		h.engine.SetHealth(id, cluster.HealthUnhealthy)
		h.pass(time.Second)
		h.pass(0)
		if o := h.expect("t1", cluster.PhaseRunning); o.Restarts != 1 || o.Health != cluster.HealthHealthy || o.ContainerID != id || o.Error != "" {
			t.Errorf("observed %+v, want the same container restarted once and healthy", o)
		}
	})
}
