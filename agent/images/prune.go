package images

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/runtime"
)

// tellDeadline bounds how long it is tried to tell the cluster what was removed.
const tellDeadline = 5 * time.Second

// Prune removes images that nobody needs, however full the disk is: those that
// Muster brought, and with p.All whatever else no container and no kept version
// of a service needs, names and all.
func (c *Collector) Prune(ctx context.Context, p api.PruneImages) (api.PrunedImages, error) {
	out := api.PrunedImages{Images: []api.PrunedImage{}}
	here, err := c.prunable(ctx, p.All)
	if err != nil {
		return out, err
	}
	info, err := c.Engine.Info(ctx)
	if err != nil {
		return out, fmt.Errorf("look at the engine: %w", err)
	}
	before, _, _ := c.Room(info.DataRoot)
	var removed []api.RemovedImage
	for _, i := range here {
		if !p.DryRun {
			err := c.Engine.RemoveImage(ctx, i.ID)
			if errors.Is(err, runtime.ErrConflict) {
				continue // a container has come since
			}
			if err == nil {
				err = c.Store.ledger.forget(i.ID)
			}
			if err != nil {
				c.tell(ctx, removed)
				return out, fmt.Errorf("remove image %s: %w", nameOf(i), err)
			}
			removed = append(removed, api.RemovedImage{Name: nameOf(i), Reason: "nobody needs it and a user asked for it"})
		}
		out.Images = append(out.Images, api.PrunedImage{ID: i.ID, Name: nameOf(i), Size: i.Size})
	}
	if after, _, err := c.Room(info.DataRoot); err == nil && !p.DryRun {
		out.Freed = max(after-before, 0)
	}
	c.tell(ctx, removed)
	return out, nil
}

// prunable are the images that may go, in the order of their names.
func (c *Collector) prunable(ctx context.Context, all bool) ([]runtime.Image, error) {
	here, err := c.Engine.ListImages(ctx)
	if err != nil {
		return nil, fmt.Errorf("list this host's images: %w", err)
	}
	used, err := c.Engine.UsedImages(ctx)
	if err != nil {
		return nil, err
	}
	needed := c.inUse()
	for _, id := range used {
		needed[id] = true
	}
	if err := c.addWanted(ctx, needed); err != nil {
		return nil, err
	}
	may := map[string]bool{}
	for _, v := range victims(here, c.Store.ledger.all(), needed, 0) {
		may[v.ID] = true
	}
	here = slices.DeleteFunc(here, func(i runtime.Image) bool { return !may[i.ID] && (!all || isNeeded(i, needed)) })
	slices.SortFunc(here, func(a, b runtime.Image) int { return cmp.Compare(nameOf(a), nameOf(b)) })
	return here, nil
}

func isNeeded(i runtime.Image, needed map[string]bool) bool {
	return needed[i.ID] || slices.ContainsFunc(slices.Concat(i.Tags, i.Digests), func(name string) bool { return needed[name] })
}

// nameOf is what people know an image by.
func nameOf(i runtime.Image) string {
	for _, name := range slices.Concat(slices.Sorted(slices.Values(i.Tags)), slices.Sorted(slices.Values(i.Digests))) {
		if !strings.HasPrefix(name, runtime.PeerRepository+":") {
			return name
		}
	}
	return i.ID
}

// tell lets the cluster know what was removed. It is for people: when nobody
// hears it, the log has it.
func (c *Collector) tell(ctx context.Context, removed []api.RemovedImage) {
	if len(removed) == 0 || c.Tell == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tellDeadline)
	defer cancel()
	if err := c.Tell(ctx, removed); err != nil {
		c.Logger.Debug("the cluster was not told which images were removed", "error", err)
	}
}
