//go:build linux

package fleettest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/musterhq/muster/integration/lab"
)

// Requests are asked of hosts without a pause, from outside.
type Requests struct {
	c      *Cluster
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu       sync.Mutex
	asked    int
	failures []string
}

// Requests begins to ask hosts for the example service's page, until the test
// ends or NoneFailed is called.
func (c *Cluster) Requests(hosts ...*lab.Host) *Requests {
	c.T.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(c.T.Context()))
	r := &Requests{c: c, cancel: cancel}
	for _, h := range hosts {
		r.wg.Go(func() { r.ask(ctx, h) })
	}
	c.T.Cleanup(r.stop)
	return r
}

func (r *Requests) ask(ctx context.Context, h *lab.Host) {
	for ctx.Err() == nil {
		_, err := r.c.Ask(ctx, h, Port, 2*time.Second)
		if ctx.Err() != nil {
			return
		}
		r.mu.Lock()
		r.asked++
		if err != nil {
			r.failures = append(r.failures, fmt.Sprintf("%s at %s: %v", h.Name, time.Now().Format("05.000"), err))
		}
		r.mu.Unlock()
		pace(ctx)
	}
}

// pace keeps callers from using all of the machine.
func pace(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(10 * time.Millisecond):
	}
}

func (r *Requests) stop() {
	r.cancel()
	r.wg.Wait()
}

// More waits until so many more requests were made.
func (r *Requests) More(n int) {
	r.c.T.Helper()
	r.mu.Lock()
	want := r.asked + n
	r.mu.Unlock()
	r.c.Within(Soon, fmt.Sprintf("%d more requests", n), func(context.Context) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.asked < want {
			return fmt.Errorf("%d are missing", want-r.asked)
		}
		return nil
	})
}

// NoneFailed ends the requests and fails the test for every one that did.
func (r *Requests) NoneFailed() {
	r.c.T.Helper()
	r.stop()
	if r.asked < 20 {
		r.c.T.Errorf("only %d requests were made: this shows nothing", r.asked)
	}
	if len(r.failures) > 0 {
		r.c.T.Errorf("%d of %d requests failed:\n%s", len(r.failures), r.asked, strings.Join(r.failures, "\n"))
	}
}
