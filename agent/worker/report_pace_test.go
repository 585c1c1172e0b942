package worker

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/musterhq/muster/cluster"
)

// Ten containers that crash all the time make few reports, and the last of them
// says how things stand.
func TestCrashLoopsMakeFewReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent int
		last := map[cluster.TaskID]cluster.Observed{}
		r := newReporter(func(_ context.Context, batch []Observation) error {
			sent++
			for _, o := range batch {
				last[o.Task] = o.Observed
			}
			return nil
		}, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			r.run(ctx)
		}()
		const minute, crashes = time.Minute, 6000
		for i := range crashes {
			var all []Observation
			for task := range 10 {
				all = append(all, Observation{Task: cluster.TaskID(rune('a' + task)), Observed: cluster.Observed{Restarts: i + 1}})
			}
			r.offer(all)
			time.Sleep(minute / crashes)
			synctest.Wait()
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if limit := reportBurst + int(minute/reportEvery) + 2; sent > limit || sent < limit/2 {
			t.Errorf("%d reports of %d crashes, at most %d", sent, crashes, limit)
		}
		for id, o := range last {
			if o.Restarts != crashes {
				t.Errorf("task %s: the last report says %d restarts, not %d", id, o.Restarts, crashes)
			}
		}
		cancel()
		<-ended
	})
}
