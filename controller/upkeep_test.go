package controller

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Chores that are due at about the same time are done in one wake-up, each at
// its own pace; one that takes long is given its pause after that.
func TestChoresShareWakeUps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 7*time.Second)
		defer cancel()
		began := time.Now()
		did := map[time.Duration]string{}
		note := func(name string, takes, pause time.Duration) func(context.Context) time.Duration {
			return func(context.Context) time.Duration {
				did[time.Since(began)] += name
				time.Sleep(takes)
				return pause
			}
		}
		upkeep(ctx, []*chore{
			{step: note("often ", 0, time.Second), due: began},
			{step: note("aside ", 0, 2*time.Second), due: began.Add(together / 2)},
			{step: note("long ", 1500*time.Millisecond, 3*time.Second), due: began.Add(2 * time.Second)},
		})
		want := map[time.Duration]string{
			0:                       "often aside ",
			1 * time.Second:         "often ",
			2 * time.Second:         "often aside long ",
			3500 * time.Millisecond: "often ", // was due while the long one took its time
			4 * time.Second:         "aside ",
			4500 * time.Millisecond: "often ",
			5500 * time.Millisecond: "often ",
			6 * time.Second:         "aside ",
			6500 * time.Millisecond: "often long ",
		}
		if diff := cmp.Diff(want, did); diff != "" {
			t.Errorf("chores by time (-want +got):\n%s", diff)
		}
	})
}
