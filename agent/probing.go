package agent

import (
	"time"

	"github.com/musterhq/muster/agent/probe"
	"github.com/musterhq/muster/agent/worker"
)

// proberOf is what the worker sees of the prober.
type proberOf struct{ *probe.Prober }

func (p proberOf) Watch(checks []worker.Check) {
	targets := make([]probe.Target, len(checks))
	for i, c := range checks {
		targets[i] = probe.Target(c)
	}
	p.Prober.Watch(targets)
}

func (p proberOf) Verdict(container string, started time.Time) (worker.Verdict, bool) {
	v, ok := p.Prober.Verdict(container, started)
	return worker.Verdict(v), ok
}
