package controller

import (
	"context"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/health"
	"github.com/musterhq/muster/cluster/state"
)

// probe has a silent node's host dialled by everybody whom the detector named,
// at once, and reports each result as it comes.
func (l *loop) probe(v state.View, p health.Probe) {
	n, ok := v.Node(p.Node)
	if !ok {
		return
	}
	address := net.JoinHostPort(n.Address, strconv.Itoa(n.APIPort))
	for _, by := range p.By {
		l.jobs.Go(func() {
			o := l.dialFrom(by, address, p)
			l.mu.Lock()
			l.tracker.Probed(health.ProbeResult{Node: p.Node, By: by, Round: p.Round, Outcome: o, At: time.Now()})
			l.mu.Unlock()
			l.poke()
		})
	}
}

// dialFrom is what one prober found.
func (l *loop) dialFrom(by cluster.NodeID, address string, p health.Probe) health.Outcome {
	limit := time.Duration(p.Tries)*p.Timeout + p.Timeout
	ctx, cancel := context.WithTimeout(l.ctx, limit)
	defer cancel()
	if by != l.cfg.Self {
		o, err := l.cfg.Prober.Ask(ctx, by, address, p.Tries)
		if err != nil {
			return 0 // it knows nothing of the host
		}
		return o
	}
	return Dial(ctx, l.cfg.Prober, address, p.Tries, p.Timeout)
}

// Dial tries a host until it answers in any way. Tries overlap by half, so that
// one lost packet costs half a time-out.
func Dial(ctx context.Context, d interface {
	Dial(ctx context.Context, address string, timeout time.Duration) health.Outcome
}, address string, tries int, timeout time.Duration,
) health.Outcome {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	results := make(chan health.Outcome, tries)
	for i := range tries {
		wg.Go(func() {
			if i > 0 {
				t := time.NewTimer(time.Duration(i) * timeout / 2)
				defer t.Stop()
				select {
				case <-t.C:
				case <-ctx.Done():
					results <- health.Silent
					return
				}
			}
			results <- d.Dial(ctx, address, timeout)
		})
	}
	for range tries {
		if o := <-results; o != health.Silent {
			return o
		}
	}
	return health.Silent
}
