package virtual

import (
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
		r.always(2*time.Minute, all(r.ready(r.hosts...), r.voters(3)))
	})
}
