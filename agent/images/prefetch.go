package images

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// prefetchAgain is when an image that could not be brought is tried again.
const prefetchAgain = 2 * time.Minute

// errNeeded: a fetch that somebody waits for goes first.
var errNeeded = errors.New("an image that is needed now goes first")

// early is the one image that is brought before anybody needs it.
type early struct {
	digest string
	cancel context.CancelCauseFunc
	idle   atomic.Bool // nobody waits for it yet
}

// need notes a fetch that somebody waits for. It ends one that nobody waits for,
// unless that brings the same image, which is then waited for.
func (f *Fetcher) need(digest string) (done func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.needed++
	if e := f.early; e != nil && e.digest != digest {
		e.cancel(errNeeded)
	} else if e != nil {
		e.idle.Store(false)
	}
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.needed--
	}
}

// Prefetch brings an image that nobody waits for. It gives way to every Fetch
// and Copy, here and on the nodes that it asks.
func (f *Fetcher) Prefetch(ctx context.Context, digest string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	e := &early{digest: digest, cancel: cancel}
	e.idle.Store(true)
	f.mu.Lock()
	if f.needed > 0 || f.early != nil {
		f.mu.Unlock()
		return errNeeded
	}
	f.early = e
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.early = nil
	}()
	err := f.fetch(ctx, digest, &e.idle)
	if errors.Is(context.Cause(ctx), errNeeded) {
		return errNeeded
	}
	return err
}

// Prefetcher brings images before they are needed, one at a time.
type Prefetcher struct {
	fetcher *Fetcher
	full    func() bool // there is no room for images that nobody needs yet
	log     *slog.Logger
	wake    chan struct{}

	mu   sync.Mutex
	want []string
}

// NewPrefetcher makes a Prefetcher.
func NewPrefetcher(f *Fetcher, full func() bool, log *slog.Logger) *Prefetcher {
	return &Prefetcher{fetcher: f, full: full, log: log, wake: make(chan struct{}, 1)}
}

// Want says which images may be needed here; it replaces what was said before.
func (p *Prefetcher) Want(digests []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if slices.Equal(p.want, digests) {
		return
	}
	p.want = digests
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// Run brings them until ctx ends.
func (p *Prefetcher) Run(ctx context.Context) {
	tick := time.NewTicker(prefetchAgain)
	defer tick.Stop()
	for {
		p.mu.Lock()
		want := slices.Clone(p.want)
		p.mu.Unlock()
		again := p.bring(ctx, want)
		select {
		case <-ctx.Done():
			return
		case <-p.wake:
		case <-again:
		case <-tick.C:
		}
	}
}

// bring tries each image once. What gave way is tried again soon.
func (p *Prefetcher) bring(ctx context.Context, want []string) (again <-chan time.Time) {
	for _, digest := range want {
		if ctx.Err() != nil || p.full() {
			return nil
		}
		if here, err := p.fetcher.cfg.Engine.HasImage(ctx, digest); err != nil || here {
			continue
		}
		err := p.fetcher.Prefetch(ctx, digest)
		switch {
		case err == nil:
			p.log.Info("brought an image that a task may need when a host dies", "image", digest)
		case errors.Is(err, errNeeded):
			return time.After(busyRetryMax)
		case ctx.Err() == nil:
			p.log.Debug("an image that a task may need was not brought", "image", digest, "error", err)
		}
	}
	return nil
}
