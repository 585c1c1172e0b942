package controller

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/musterhq/muster/cluster/health"
)

// tries answers the nth dial with the nth outcome after its delay; a delay
// beyond the time-out is silence.
type tries struct {
	mu   sync.Mutex
	n    int
	plan []answer
}

type answer struct {
	outcome health.Outcome
	after   time.Duration
}

func (d *tries) Dial(ctx context.Context, _ string, timeout time.Duration) health.Outcome {
	d.mu.Lock()
	a := d.plan[d.n]
	d.n++
	d.mu.Unlock()
	select {
	case <-time.After(min(a.after, timeout)):
	case <-ctx.Done():
		return health.Silent
	}
	if a.after > timeout {
		return health.Silent
	}
	return a.outcome
}

func TestDial(t *testing.T) {
	const timeout, never = 500 * time.Millisecond, time.Hour
	for _, tc := range []struct {
		name string
		plan []answer
		want health.Outcome
		took time.Duration
	}{
		{"an answer at once", []answer{{health.Accepted, 0}, {}}, health.Accepted, 0},
		{"a lost packet costs half a time-out", []answer{{health.Accepted, never}, {health.Accepted, 0}}, health.Accepted, timeout / 2},
		{"refused beats a silence that came first", []answer{{health.Silent, never}, {health.Refused, 400 * time.Millisecond}}, health.Refused, timeout/2 + 400*time.Millisecond},
		{"refused ends the other tries", []answer{{health.Refused, 300 * time.Millisecond}, {health.Silent, never}}, health.Refused, 300 * time.Millisecond},
		{"silence takes all tries", []answer{{health.Silent, never}, {health.Silent, never}}, health.Silent, timeout * 3 / 2},
		{"one try", []answer{{health.Silent, never}}, health.Silent, timeout},
		{"three tries", []answer{{health.Silent, never}, {health.Silent, never}, {health.Silent, never}}, health.Silent, 2 * timeout},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // which reports tries that are left
				begun := time.Now()
				got := Dial(t.Context(), &tries{plan: tc.plan}, "10.0.0.2:7070", len(tc.plan), timeout)
				if took := time.Since(begun); got != tc.want || took != tc.took {
					t.Errorf("%s after %s, want %s after %s", got, took, tc.want, tc.took)
				}
			})
		})
	}
}

func TestDialEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		begun := time.Now()
		Dial(ctx, &tries{plan: []answer{{health.Silent, time.Hour}, {health.Silent, time.Hour}}}, "10.0.0.2:7070", 2, 500*time.Millisecond)
		if took := time.Since(begun); took != 100*time.Millisecond {
			t.Errorf("it took %s", took)
		}
	})
}
