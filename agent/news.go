package agent

import "sync"

// news is what a leader is told once: the newest goes with heartbeats until one of
// them was answered, and again to a new leader.
type news[T any] struct {
	mu     sync.Mutex
	newest *T
	told   bool
}

func (n *news[T]) set(newest *T) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.newest, n.told = newest, false
}

// untold is the newest if the leader has not been told of it.
func (n *news[T]) untold() *T {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.told {
		return nil
	}
	return n.newest
}

// heard notes what the leader has been told of.
func (n *news[T]) heard(what *T) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.told = n.told || what != nil && what == n.newest
}

// resend makes the next heartbeat bring the newest again.
func (n *news[T]) resend() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.told = false
}
