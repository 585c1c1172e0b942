package cluster

import "testing"

func TestTaskState(t *testing.T) {
	placed := func(phase Phase, health Health) Task {
		return Task{Node: "n", Desired: Running, Observed: Observed{Phase: phase, Health: health}}
	}
	exited := func(desired Desired, final bool, code int, err string) Task {
		return Task{Node: "n", Desired: desired, Observed: Observed{Phase: PhaseExited, Final: final, ExitCode: code, Error: err}}
	}
	for name, tc := range map[string]struct {
		task Task
		node Condition
		want State
	}{
		"not placed":                 {Task{Desired: Running}, "", StatePending},
		"not placed, stopped":        {Task{Desired: Stopped}, "", StateStopped},
		"placed":                     {placed(PhaseNone, HealthNone), Ready, StateAssigned},
		"pulling":                    {placed(PhasePulling, HealthNone), Ready, StatePulling},
		"starting":                   {placed(PhaseStarting, HealthNone), Ready, StateStarting},
		"running without a check":    {placed(PhaseRunning, HealthNone), Ready, StateRunning},
		"running, not checked yet":   {placed(PhaseRunning, HealthStarting), Ready, StateStarting},
		"running and healthy":        {placed(PhaseRunning, HealthHealthy), Ready, StateRunning},
		"running and unhealthy":      {placed(PhaseRunning, HealthUnhealthy), Ready, StateUnhealthy},
		"between restarts":           {placed(PhaseBackoff, HealthNone), Ready, StateBackoff},
		"exited, to be restarted":    {exited(Running, false, 1, ""), Ready, StateBackoff},
		"completed":                  {exited(Running, true, 0, ""), Ready, StateComplete},
		"given up":                   {exited(Running, true, 1, ""), Ready, StateFailed},
		"could not start":            {exited(Running, true, 0, "no such image"), Ready, StateFailed},
		"stopped on request":         {exited(Stopped, false, 143, ""), Ready, StateStopped},
		"completed on a down node":   {exited(Running, true, 0, ""), Down, StateComplete},
		"stopped, node down since":   {exited(Stopped, false, 0, ""), Down, StateStopped},
		"running, node down":         {placed(PhaseRunning, HealthHealthy), Down, StateLost},
		"placed, node down":          {placed(PhaseNone, HealthNone), Down, StateLost},
		"running, node gone":         {placed(PhaseRunning, HealthHealthy), "", StateLost},
		"running, agent away":        {placed(PhaseRunning, HealthHealthy), Away, StateRunning},
		"to be stopped, still there": {Task{Node: "n", Desired: Stopped, Observed: Observed{Phase: PhaseRunning}}, Ready, StateRunning},
	} {
		if got := TaskState(&tc.task, tc.node); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}

func TestTaskPredicates(t *testing.T) {
	for name, tc := range map[string]struct {
		task                Task
		ready, ended, holds bool
	}{
		"pending":            {Task{Desired: Running}, false, false, false},
		"never placed":       {Task{Desired: Stopped}, false, true, false},
		"running":            {Task{Node: "n", Desired: Running, Observed: Observed{Phase: PhaseRunning}}, true, false, true},
		"healthy":            {Task{Node: "n", Desired: Running, Observed: Observed{Phase: PhaseRunning, Health: HealthHealthy}}, true, false, true},
		"not checked yet":    {Task{Node: "n", Desired: Running, Observed: Observed{Phase: PhaseRunning, Health: HealthStarting}}, false, false, true},
		"unhealthy":          {Task{Node: "n", Desired: Running, Observed: Observed{Phase: PhaseRunning, Health: HealthUnhealthy}}, false, false, true},
		"stopping":           {Task{Node: "n", Desired: Stopped, Observed: Observed{Phase: PhaseRunning}}, true, false, true},
		"stopped":            {Task{Node: "n", Desired: Stopped, Observed: Observed{Phase: PhaseExited}}, false, true, false},
		"exited, comes back": {Task{Node: "n", Desired: Running, Observed: Observed{Phase: PhaseExited}}, false, false, true},
		"completed":          {Task{Node: "n", Desired: Running, Observed: Observed{Phase: PhaseExited, Final: true}}, false, true, false},
	} {
		if got := tc.task.Ready(); got != tc.ready {
			t.Errorf("%s: ready is %v", name, got)
		}
		if got := tc.task.Ended(); got != tc.ended {
			t.Errorf("%s: ended is %v", name, got)
		}
		if got := tc.task.Holds(); got != tc.holds {
			t.Errorf("%s: holds is %v", name, got)
		}
	}
}

func TestEffectiveOrder(t *testing.T) {
	for name, tc := range map[string]struct {
		spec ServiceSpec
		want Order
	}{
		"nothing shared":      {ServiceSpec{}, StartFirst},
		"ingress port":        {ServiceSpec{Template: Template{Ports: []Port{{Published: 80, Mode: Ingress}}}}, StartFirst},
		"host port":           {ServiceSpec{Template: Template{Ports: []Port{{Published: 80, Mode: HostPort}}}}, StopFirst},
		"any host port":       {ServiceSpec{Template: Template{Ports: []Port{{Mode: HostPort}}}}, StartFirst},
		"volume":              {ServiceSpec{Template: Template{Container: ContainerSpec{Mounts: []Mount{{Type: MountVolume, Source: "v"}}}}}, StopFirst},
		"volume read only":    {ServiceSpec{Template: Template{Container: ContainerSpec{Mounts: []Mount{{Type: MountVolume, Source: "v", ReadOnly: true}}}}}, StartFirst},
		"anonymous volume":    {ServiceSpec{Template: Template{Container: ContainerSpec{Mounts: []Mount{{Type: MountVolume}}}}}, StartFirst},
		"the user's own word": {ServiceSpec{Update: Update{Order: StartFirst}, Template: Template{Ports: []Port{{Published: 80, Mode: HostPort}}}}, StartFirst},
	} {
		if got := (&Service{Spec: tc.spec}).Policy().Order; got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
}
