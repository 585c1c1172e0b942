//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// callers send the requests, each at its own pace.
	callers = 64
	// requestLimit is how long a request may take.
	requestLimit = 2 * time.Second
	// maxReasons is how many different failures are kept for people.
	maxReasons = 5
)

// load is requests at a steady rate. The counts are to be read after stop.
type load struct {
	stop func()
	next atomic.Uint64

	mu      sync.Mutex
	targets []string // addresses of hosts
	asked   int
	failed  int
	last    time.Time // when the last one was sent that failed
	reasons []string
}

func (b *bench) begin(ctx context.Context) *load {
	ctx, cancel := context.WithCancel(ctx)
	l := &load{}
	for _, h := range b.fleet.Hosts {
		l.targets = append(l.targets, h.Addr)
	}
	kept := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: callers}}
	fresh := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	var running sync.WaitGroup
	for i := range callers {
		client := kept
		if i%2 == 1 {
			client = fresh
		}
		running.Go(func() { l.call(ctx, client, time.Second*callers/time.Duration(b.rate)) })
	}
	l.stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
		kept.CloseIdleConnections()
	})
	return l
}

// call sends one request a pace, until ctx ends.
func (l *load) call(ctx context.Context, client *http.Client, pace time.Duration) {
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		sent := time.Now()
		err := l.ask(ctx, client)
		if ctx.Err() != nil {
			return // it was cut off by stop
		}
		l.count(sent, err)
	}
}

func (l *load) ask(ctx context.Context, client *http.Client) error {
	ctx, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%s:%d/", l.target(), port), nil)
	if err != nil {
		return err
	}
	answer, err := client.Do(req)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", req.URL.Host, answer.Status)
	}
	return nil
}

func (l *load) target() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.targets[l.next.Add(1)%uint64(len(l.targets))]
}

// skip asks a host no more: it is about to die, once what is under way there has
// ended.
func (l *load) skip(address string) {
	l.mu.Lock()
	l.targets = slices.DeleteFunc(slices.Clone(l.targets), func(a string) bool { return a == address })
	l.mu.Unlock()
}

func (l *load) count(sent time.Time, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked++
	if err == nil {
		return
	}
	l.failed++
	if sent.After(l.last) {
		l.last = sent
	}
	if text := err.Error(); len(l.reasons) < maxReasons && !slices.Contains(l.reasons, text) {
		l.reasons = append(l.reasons, text)
	}
}

func (l *load) lastFailure() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}
