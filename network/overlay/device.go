package overlay

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/musterhq/muster/network"
)

const (
	// resyncEvery bounds how long anything stays as somebody else made it.
	resyncEvery = 5 * time.Second
	// retryAfter is how soon a pass that failed is done again; it doubles up to
	// resyncEvery.
	retryAfter = 100 * time.Millisecond
	// gap is left between two passes, so that a host on which interfaces come and
	// go by the hundred is not busy with looking at them.
	gap = 50 * time.Millisecond
	// rounds of a pass: each does what is found missing after the one before.
	rounds = 4
)

// Config is what a Device needs.
type Config struct {
	Key Key
	// Tun is what a process before this one handed over; nil: there was none. The
	// Device owns it.
	Tun    *os.File
	Logger *slog.Logger // nil: slog.Default
}

// Device keeps the interfaces of the network namespace that it was made in as they
// are wanted.
type Device struct {
	log    *slog.Logger
	wake   chan struct{}
	cancel context.CancelFunc
	ended  sync.WaitGroup

	mu       sync.Mutex
	want     *network.Overlay // nil: nothing is known yet, and nothing is done
	problems []string

	work   sync.Mutex // of a pass
	host   *host
	handed bool // another process is to have WireGuard
}

// New does nothing until there is a Set. Close ends it.
func New(cfg Config) (*Device, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	h, err := newHost(cfg)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	d := &Device{log: cfg.Logger, wake: make(chan struct{}, 1), cancel: cancel, host: h}
	d.ended.Go(func() { d.run(ctx) })
	d.ended.Go(func() { d.watch(ctx) })
	return d, nil
}

// Set says what is wanted from now on. It keeps the value, and waits for nothing.
func (d *Device) Set(o network.Overlay) {
	d.mu.Lock()
	d.want = &o
	d.mu.Unlock()
	d.poke()
}

// Problems say what is not as it should be, why, and what to do.
func (d *Device) Problems() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.problems)
}

// Close returns when nothing of it runs any more. Without remove everything stays
// in the kernel as it is, and muster0 drops what it is given where WireGuard ran in
// this process; with remove nothing of ours is left, unless a successor has it.
func (d *Device) Close(remove bool) {
	d.cancel()
	d.ended.Wait()
	d.work.Lock()
	defer d.work.Unlock()
	if remove && !d.handed {
		d.converge(network.Overlay{})
	}
	d.host.close()
}

func (d *Device) poke() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

func (d *Device) wanted() *network.Overlay {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.want
}

func (d *Device) run(ctx context.Context) {
	again := retryAfter
	for ctx.Err() == nil {
		next := resyncEvery
		if d.pass() {
			again = retryAfter
		} else {
			next, again = again, min(2*again, resyncEvery)
		}
		pause(ctx, gap, nil)
		pause(ctx, next, d.wake)
	}
}

// pause is over after that time, or when woken.
func pause(ctx context.Context, limit time.Duration, wake <-chan struct{}) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-wake:
	case <-timer.C:
	}
}

// pass has everything be as it is wanted now, and reports whether it is.
func (d *Device) pass() bool {
	d.work.Lock()
	defer d.work.Unlock()
	want := d.wanted()
	if want == nil || d.handed {
		return true
	}
	problems, ok := d.converge(*want)
	d.mu.Lock()
	changed := !slices.Equal(d.problems, problems)
	d.problems = problems
	d.mu.Unlock()
	if changed {
		for _, p := range problems {
			d.log.Warn("network between hosts", "problem", p)
		}
	}
	return ok
}

// converge reads, plans and does until nothing is left to do.
func (d *Device) converge(want network.Overlay) (problems []string, ok bool) {
	for range rounds {
		have, err := d.host.read(want)
		if err != nil {
			return []string{"the network between hosts: cannot " + err.Error() + "; it is tried again every few seconds"}, false
		}
		actions, problems := plan(want, have)
		if len(actions) == 0 {
			return problems, true
		}
		if failed := d.do(actions); len(failed) > 0 {
			return append(problems, failed...), false
		}
	}
	return []string{"the network between hosts: interfaces of Muster do not stay as it sets them: another program changes those named " +
		wireGuardLink + " or " + tunnelName + " and a number; have it leave them alone (for NetworkManager or systemd-networkd: unmanaged)"}, false
}

// do says what failed. One network that cannot be joined keeps no other from it;
// without muster0 none can.
func (d *Device) do(actions []action) (problems []string) {
	failed := make(map[string]bool)
	for _, a := range actions {
		if failed[a.on()] || failed[wireGuardLink] {
			continue
		}
		d.log.Debug("network between hosts", "do", a.String())
		if err := d.host.do(a); err != nil {
			failed[a.on()] = true
			problems = append(problems, fmt.Sprintf("the network between hosts: cannot %s: %v; it is tried again every few seconds", a, explain(err)))
		}
	}
	return problems
}
