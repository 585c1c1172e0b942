package crowd

import (
	"container/list"
	"sync"
)

// Crowd is a bounded number of equals. Its methods are safe for concurrent use.
type Crowd[T comparable] struct {
	limit  int
	giveUp func(T)

	mu    sync.Mutex
	order list.List // of T, the oldest first
	at    map[T]*list.Element
}

// New makes a Crowd of at most limit. giveUp gets the oldest when it has to go,
// in the goroutine of the one that came, and holds up no other.
func New[T comparable](limit int, giveUp func(T)) *Crowd[T] {
	return &Crowd[T]{limit: limit, giveUp: giveUp, at: map[T]*list.Element{}}
}

// Enter takes v in as the newest, also when it is there already.
func (c *Crowd[T]) Enter(v T) {
	if oldest, ok := c.enter(v); ok {
		c.giveUp(oldest)
	}
}

func (c *Crowd[T]) enter(v T) (oldest T, tooMany bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(v)
	if tooMany = len(c.at) >= c.limit; tooMany {
		oldest = c.order.Front().Value.(T)
		c.remove(oldest)
	}
	c.at[v] = c.order.PushBack(v)
	return oldest, tooMany
}

// Leave takes v out; one that is not there, or was given up, is no error.
func (c *Crowd[T]) Leave(v T) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(v)
}

func (c *Crowd[T]) remove(v T) {
	if e, ok := c.at[v]; ok {
		c.order.Remove(e)
		delete(c.at, v)
	}
}

// All are those that are there, the oldest first.
func (c *Crowd[T]) All() []T {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]T, 0, len(c.at))
	for e := c.order.Front(); e != nil; e = e.Next() {
		all = append(all, e.Value.(T))
	}
	return all
}
