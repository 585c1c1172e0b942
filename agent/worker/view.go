package worker

import (
	"cmp"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/musterhq/muster/runtime"
)

// view is what is known of the containers. Lists and inspects overlap and may
// come back in any order, so each says when it was begun, and what was looked
// at later is kept.
type view struct {
	clock atomic.Uint64
	seen  map[string]sighting // by container ID; also of containers that are gone
}

// sighting is one look at one container.
type sighting struct {
	at   uint64 // when the look was begun, in looks
	id   string
	gone bool
	c    runtime.Container
}

func newView() *view { return &view{seen: map[string]sighting{}} }

// begin returns the time of a look that begins now. It is the one method that
// other goroutines may call.
func (v *view) begin() uint64 { return v.clock.Add(1) }

// saw enters one look.
func (v *view) saw(s sighting) {
	if s.at > v.seen[s.id].at {
		v.seen[s.id] = s
	}
}

// listed enters a look at all containers: those not in it are gone.
func (v *view) listed(at uint64, all []runtime.Container) {
	for _, c := range all {
		v.saw(sighting{at: at, id: c.ID, c: c})
	}
	maps.DeleteFunc(v.seen, func(_ string, s sighting) bool { return s.at < at })
}

// containers returns the containers in the order of their IDs.
func (v *view) containers() []runtime.Container {
	out := make([]runtime.Container, 0, len(v.seen))
	for _, s := range v.seen {
		if !s.gone {
			out = append(out, s.c)
		}
	}
	slices.SortFunc(out, func(a, b runtime.Container) int { return cmp.Compare(a.ID, b.ID) })
	return out
}
