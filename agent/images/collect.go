package images

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

// collectEvery is how often the room for images is measured.
const collectEvery = time.Minute

// CollectorEngine is what a Collector asks of this host's engine.
type CollectorEngine interface {
	Info(ctx context.Context) (runtime.Info, error)
	ListImages(ctx context.Context) ([]runtime.Image, error)
	UsedImages(ctx context.Context) ([]string, error)
	RemoveImage(ctx context.Context, id string) error
}

// Collector removes images that Muster brought and nobody needs, when the
// engine's disk fills up. It begins when High percent of the file system are in
// use, and ends at Low.
type Collector struct {
	Store     *Store
	Engine    CollectorEngine
	Room      func(dir string) (free, size int64, err error)
	High, Low int // percent; High 0: nothing is ever removed
	Keep      int // of the images that could go, so many stay
	// InUse are the images of this host's containers (IDs) and tasks (digests).
	InUse func() []string
	// Seen is told of the images of this host each time that they are looked at.
	Seen func(here []runtime.Image)
	// Wanted are the digests of all that the cluster may run, or run again.
	Wanted func(ctx context.Context) ([]string, error)
	// Tell lets the cluster know what was removed; nil: nobody is told.
	Tell   func(ctx context.Context, removed []api.RemovedImage) error
	Logger *slog.Logger

	pressed atomic.Bool // the disk was too full, and is not empty enough yet
}

// Full reports whether the engine's disk is too full for what nobody needs.
func (c *Collector) Full() bool { return c.pressed.Load() }

// Run collects until ctx ends.
func (c *Collector) Run(ctx context.Context) {
	tick := time.NewTicker(collectEvery)
	defer tick.Stop()
	for {
		if err := c.Collect(ctx); err != nil && ctx.Err() == nil {
			c.Logger.Debug("images that nobody needs were not looked for", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Collect looks once.
func (c *Collector) Collect(ctx context.Context) error {
	here, err := c.Engine.ListImages(ctx)
	if err != nil {
		return fmt.Errorf("list this host's images: %w", err)
	}
	c.Seen(here)
	needed := c.inUse()
	if err := c.Store.ledger.used(needed, here, time.Now()); err != nil {
		return err
	}
	info, err := c.Engine.Info(ctx)
	if err != nil || info.DataRoot == "" || c.High <= 0 {
		return err
	}
	if !c.tooFull(info.DataRoot) {
		return nil
	}
	if err := c.addWanted(ctx, needed); err != nil {
		return err
	}
	return c.remove(ctx, info.DataRoot, victims(here, c.Store.ledger.all(), needed, c.Keep))
}

// inUse are the images that this host needs, by ID and digest.
func (c *Collector) inUse() map[string]bool {
	needed := map[string]bool{}
	for _, i := range c.InUse() {
		needed[i] = true
	}
	return needed
}

// addWanted adds those that the cluster may need, by all of their names.
func (c *Collector) addWanted(ctx context.Context, needed map[string]bool) error {
	wanted, err := c.Wanted(ctx)
	if err != nil {
		return fmt.Errorf("ask which images the cluster needs: %w", err)
	}
	for _, w := range wanted {
		needed[w] = true
		needed[runtime.PeerTag(w)] = true
	}
	return nil
}

// tooFull measures, and remembers since the disk was too full.
func (c *Collector) tooFull(dir string) bool {
	free, size, err := c.Room(dir)
	if err != nil || size <= 0 {
		c.Logger.Debug("measure the engine's disk", "error", err)
		return false
	}
	used := (size - free) * 100 / size
	full := used >= int64(c.High) || c.pressed.Load() && used > int64(c.Low)
	c.pressed.Store(full)
	return full
}

func (c *Collector) remove(ctx context.Context, dir string, all []Brought) error {
	var removed []api.RemovedImage
	defer func() { c.tell(ctx, removed) }()
	for _, v := range all {
		if !c.tooFull(dir) {
			return nil
		}
		before, _, _ := c.Room(dir)
		err := c.Engine.RemoveImage(ctx, v.ID)
		if errors.Is(err, runtime.ErrConflict) {
			continue // a container that is not ours
		}
		if err == nil {
			err = c.Store.ledger.forget(v.ID)
		}
		if err != nil {
			return fmt.Errorf("remove image %s: %w", v.Digest, err)
		}
		after, _, _ := c.Room(dir)
		freed := cluster.FormatBytes(max(after-before, 0))
		c.Logger.Info("removed an image that nobody needs: the engine's disk is nearly full", "image", v.Digest, "id", v.ID,
			"last_used", v.Used.UTC().Format(time.RFC3339), "freed", freed)
		removed = append(removed, api.RemovedImage{Name: v.Digest, Reason: "nobody needs it and the engine's disk is nearly full: " + freed + " freed"})
	}
	if c.tooFull(dir) {
		c.Logger.Warn("the engine's disk is nearly full, and no image is left that may be removed", "directory", dir)
	}
	return nil
}
