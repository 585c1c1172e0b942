package virtual

import (
	"testing"
	"time"
)

// A node that was removed is refused at once: its calls, its streams, its vote.
func TestRemovedNodeIsRefused(t *testing.T) {
	for name, who := range map[string]func(*ring) *host{"follower": (*ring).follower, "worker": (*ring).worker} {
		t.Run(name, func(t *testing.T) {
			bubble(t, 5, func(r *ring) {
				r.form()
				r.run(service(10))
				h, leader := who(r), r.leader()
				leader.remove(h)
				if err := h.scale(11); err == nil {
					r.Error("a change through the removed node was taken")
				}
				if nodes, err := h.nodes(); err == nil && len(nodes) == 4 {
					r.Error("the removed node is still told the news")
				}
				rest := r.others(h)
				r.until(20*time.Second, all(r.members(rest...), r.serving(10, rest...), r.seated(3)))
				// It finds out by itself and takes down what it ran.
				r.until(30*time.Second, all(r.running(10), r.wiped(h)))
			})
		})
	}
}
