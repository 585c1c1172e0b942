package virtual

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestThreeHostsFormACluster(t *testing.T) {
	bubble(t, 3, func(r *ring) {
		r.form()
		r.run(service(12))
		if d := cmp.Diff(map[string]int{"n1": 4, "n2": 4, "n3": 4}, r.spread()); d != "" {
			r.Errorf("spread:\n%s", d)
		}
		before := started(r.hosts...)
		r.always(2*time.Minute, all(r.ready(r.hosts...), r.voters(3)))
		if d := cmp.Diff(before, started(r.hosts...)); d != "" {
			r.Errorf("containers changed in quiet times:\n%s", d)
		}
	})
}

func TestFiveHostsHaveThreeVotersAndTwoWorkers(t *testing.T) {
	bubble(t, 5, func(r *ring) {
		r.form()
		r.run(service(10))
		if d := cmp.Diff(map[string]int{"n1": 2, "n2": 2, "n3": 2, "n4": 2, "n5": 2}, r.spread()); d != "" {
			r.Errorf("spread:\n%s", d)
		}
	})
}

// A worker that reaches one voter alone, which does not lead, has all it needs.
func TestWorkerLivesOnOneVoter(t *testing.T) {
	bubble(t, 5, func(r *ring) {
		r.form()
		worker, voter := r.worker(), r.follower()
		r.cutBoth([]*host{worker}, r.others(worker, voter))
		r.run(service(10))
		if n := len(worker.containers()); n != 2 {
			r.Errorf("the worker runs %d tasks, not 2", n)
		}
		r.always(time.Minute, all(r.ready(r.hosts...), r.running(10)))
	})
}

// Whoever is asked answers for the whole cluster, and takes a change.
func TestEveryNodeAnswers(t *testing.T) {
	bubble(t, 4, func(r *ring) {
		r.form()
		for i, h := range r.hosts {
			var err error
			if i == 0 {
				err = h.deploy(service(1))
			} else {
				err = h.scale(i + 1)
			}
			if err != nil {
				r.Errorf("a change through %s: %v", h.name, err)
			}
			r.until(10*time.Second, func() string {
				tasks, err := h.tasks()
				if err != nil || len(tasks) != i+1 {
					return fmt.Sprintf("%s shows %d tasks, not %d: %v", h.name, len(tasks), i+1, err)
				}
				return ""
			})
			if nodes, err := h.nodes(); err != nil || len(nodes) != 4 {
				r.Errorf("%s shows nodes %v: %v", h.name, nodes, err)
			}
		}
		r.until(10*time.Second, r.running(4))
	})
}
