package images

import (
	"context"
	"sync"
)

// flights are pieces of work that several callers may wait for, by what they
// bring.
type flights struct {
	mu sync.Mutex
	m  map[string]*flight
}

// flight is one piece of work under way.
type flight struct {
	done chan struct{} // closed when the fields below are set
	err  error
	// abandoned: the caller that did the work gave up, which says nothing
	// about the image.
	abandoned bool
}

// together runs work once for all callers that ask for the same key at the
// same time. The first caller does it, under its own context; a caller that
// still wants the image when that context has ended starts anew, and each stops
// waiting when its own context ends.
func (f *flights) together(ctx context.Context, key string, work func() error) error {
	for {
		fl, mine := f.join(key)
		if mine {
			fl.err = work()
			fl.abandoned = fl.err != nil && ctx.Err() != nil
			f.land(key, fl)
			return fl.err
		}
		select {
		case <-fl.done:
			if !fl.abandoned {
				return fl.err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (f *flights) join(key string) (fl *flight, mine bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if fl, ok := f.m[key]; ok {
		return fl, false
	}
	if f.m == nil {
		f.m = map[string]*flight{}
	}
	fl = &flight{done: make(chan struct{})}
	f.m[key] = fl
	return fl, true
}

func (f *flights) land(key string, fl *flight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.m, key)
	close(fl.done)
}
