package sim

import (
	"fmt"
	"strings"
	"time"

	"github.com/musterhq/muster/cluster"
)

// nature is how containers of an image behave; an image's name begins with it.
type nature string

// Natures of images.
const (
	good    nature = "good"    // runs until it is stopped
	slow    nature = "slow"    // becomes healthy late
	frail   nature = "frail"   // dies now and then while things are disturbed
	crash   nature = "crash"   // dies soon after every start
	sick    nature = "sick"    // never becomes healthy
	done    nature = "done"    // ends by itself, with success
	broken  nature = "broken"  // the engine refuses to start it
	missing nature = "missing" // no registry has it
)

func image(n nature, version int) cluster.Image {
	return cluster.Image{Ref: fmt.Sprintf("%s:%d", n, version), Digest: fmt.Sprintf("%s@sha256:%064x", n, version)}
}

func natureOf(i cluster.Image) nature {
	n, _, _ := strings.Cut(i.Digest, "@")
	return nature(n)
}

// works reports whether containers of the template stay and become ready once
// nothing is disturbed any more.
func works(t *cluster.Template) bool {
	switch natureOf(t.Container.Image) {
	case good, slow, frail:
		return true
	}
	return false
}

// after a start: when the container's health check passes (0: never), and when
// it ends by itself and with which code (0: never).
func (e *engine) fate(n nature) (healthy, ends time.Duration, code int) {
	w := e.h.w
	healthy = w.between(500*time.Millisecond, 3*time.Second)
	switch n {
	case slow:
		healthy = w.between(4*time.Second, 15*time.Second)
	case frail:
		if !w.quiet {
			ends, code = w.between(5*time.Second, 90*time.Second), 1+w.rand.IntN(3)
			if w.chance(0.3) {
				code = 0
			}
		}
	case crash:
		ends, code = w.between(100*time.Millisecond, 3*time.Second), 1
	case sick:
		healthy = 0
	case done:
		ends = w.between(time.Second, 10*time.Second)
	}
	return healthy, ends, code
}
