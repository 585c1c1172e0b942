package images

import "context"

// flight is one image on its way, which several callers may wait for.
type flight struct {
	done chan struct{} // closed when the fields below are set
	err  error
	// abandoned: the caller that did the work gave up, which says nothing
	// about the image.
	abandoned bool
}

// together runs work once for all callers that ask for the same digest at the
// same time. The first caller does it, under its own context; a caller that
// still wants the image when that context has ended starts anew, and each stops
// waiting when its own context ends.
func (f *Fetcher) together(ctx context.Context, digest string, work func() error) error {
	for {
		fl, mine := f.join(digest)
		if mine {
			fl.err = work()
			fl.abandoned = fl.err != nil && ctx.Err() != nil
			f.land(digest, fl)
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

func (f *Fetcher) join(digest string) (fl *flight, mine bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if fl, ok := f.flights[digest]; ok {
		return fl, false
	}
	fl = &flight{done: make(chan struct{})}
	f.flights[digest] = fl
	return fl, true
}

func (f *Fetcher) land(digest string, fl *flight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.flights, digest)
	close(fl.done)
}
