package virtual

import (
	"slices"
	"testing"
	"time"
)

// Voters stand for election one after the other, so that most elections are
// decided at the first time of asking.
func TestElectionsTakeLittleMoreThanTheTimeOut(t *testing.T) {
	for _, n := range []int{3, 5} {
		bubble(t, n, func(r *ring) {
			r.form()
			var took []time.Duration
			for range 15 {
				old := r.leader()
				old.killAgent()
				took = append(took, r.until(5*time.Second, r.oneLeader(r.others(old), nil)))
				old.start()
				r.until(10*time.Second, r.ready(r.hosts...))
			}
			slices.Sort(took)
			r.Logf("with %d hosts: %v", n, took)
			if median := took[len(took)/2]; median > 1400*time.Millisecond {
				r.Errorf("half of the elections took more than %s", median)
			}
		})
	}
}
