//go:build linux

package chaos

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/musterhq/muster/integration/lab"
)

// cutClasses are the ways in which a network fails.
var cutClasses = []class{
	{"a follower is cut off", onFollower(func(_ context.Context, h *lab.Host) error { return h.Cut() })},
	{"the leader is cut off", onLeader(func(_ context.Context, h *lab.Host) error { return h.Cut() })},
	{"a minority is cut off", func(ctx context.Context, f *fault) (string, error) {
		a := f.rand.IntN(len(f.Fleet.Hosts))
		two := []*lab.Host{f.Fleet.Hosts[a], f.Fleet.Hosts[(a+1)%len(f.Fleet.Hosts)]}
		return two[0].Name + " and " + two[1].Name, part(ctx, two, f.Fleet.Others(two...))
	}},
	{"a bridge", func(ctx context.Context, f *fault) (string, error) {
		return f.between(ctx, func(leader, other *lab.Host) error {
			return part(ctx, []*lab.Host{leader}, []*lab.Host{other})
		})
	}},
	{"loss from the leader to a follower", func(ctx context.Context, f *fault) (string, error) {
		return f.between(ctx, func(leader, other *lab.Host) error { return other.Drop(ctx, leader) })
	}},
	{"loss from a follower to the leader", func(ctx context.Context, f *fault) (string, error) {
		return f.between(ctx, func(leader, other *lab.Host) error { return leader.Drop(ctx, other) })
	}},
	{"a follower hears nobody", deaf(false)},
	{"the leader hears nobody", deaf(true)},
	{"nobody hears a follower", mute(false)},
	{"nobody hears the leader", mute(true)},
	{"a flapping link", func(ctx context.Context, f *fault) (string, error) {
		h := pick(f.rand, f.Fleet.Hosts)
		f.repeat(ctx, 2*time.Second, func(ctx context.Context, on bool) error {
			if on {
				return h.Cut()
			}
			return h.Heal(ctx)
		})
		return h.Name, nil
	}},
}

// between does something to the leader and a follower.
func (f *fault) between(ctx context.Context, do func(leader, other *lab.Host) error) (string, error) {
	leader, err := f.Fleet.Leader(ctx)
	if err != nil {
		return "", err
	}
	other := pick(f.rand, f.Fleet.Others(leader))
	return leader.Name + " and " + other.Name, do(leader, other)
}

// part cuts the hosts of one side from those of the other.
func part(ctx context.Context, one, other []*lab.Host) error {
	for _, a := range one {
		for _, b := range other {
			if err := a.Drop(ctx, b); err != nil {
				return err
			}
			if err := b.Drop(ctx, a); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *fault) one(ctx context.Context, leader bool) (*lab.Host, error) {
	if leader {
		return f.Fleet.Leader(ctx)
	}
	return f.follower(ctx)
}

func deaf(leader bool) func(context.Context, *fault) (string, error) {
	return func(ctx context.Context, f *fault) (string, error) {
		h, err := f.one(ctx, leader)
		if err != nil {
			return "", err
		}
		for _, o := range f.Fleet.Others(h) {
			if err := h.Drop(ctx, o); err != nil {
				return "", err
			}
		}
		return h.Name, nil
	}
}

func mute(leader bool) func(context.Context, *fault) (string, error) {
	return func(ctx context.Context, f *fault) (string, error) {
		h, err := f.one(ctx, leader)
		if err != nil {
			return "", err
		}
		return h.Name, each(ctx, f.Fleet.Others(h), func(ctx context.Context, o *lab.Host) error { return o.Drop(ctx, h) })
	}
}

// each does something to hosts, all at once.
func each(ctx context.Context, hosts []*lab.Host, do func(context.Context, *lab.Host) error) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, h := range hosts {
		g.Go(func() error { return do(ctx, h) })
	}
	return g.Wait()
}

// sleep reports whether ctx let it.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
