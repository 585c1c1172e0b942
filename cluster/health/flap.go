package health

import (
	"slices"
	"time"
)

// flaps counts a node's returns from down.
type flaps struct {
	returns []time.Time // within the window
	until   time.Time   // end of the quarantine
	last    time.Duration
}

// returned records a return at now. The quarantine doubles with each return
// that is one too many, and starts small again after a quiet window.
func (f *flaps) returned(cfg Config, now time.Time) {
	f.returns = append(slices.DeleteFunc(f.returns, func(at time.Time) bool { return now.Sub(at) > cfg.FlapWindow }), now)
	if len(f.returns) < cfg.FlapCount {
		if now.Sub(f.until) > cfg.FlapWindow {
			f.last = 0
		}
		return
	}
	f.last = min(max(2*f.last, cfg.QuarantineMin), cfg.QuarantineMax)
	f.until = now.Add(f.last)
}
