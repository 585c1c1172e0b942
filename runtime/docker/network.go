package docker

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"

	"github.com/musterhq/muster/runtime"
)

// networks remembers which networks are there, so that a create costs one call.
// A network that was removed behind our back shows when a container starts:
// then everything is forgotten and the container is made anew.
type networks struct {
	making chan struct{} // holds a token while networks are made or removed

	mu    sync.Mutex
	known map[string]string // name to the reference that names it without doubt
}

func newNetworks() *networks {
	return &networks{making: make(chan struct{}, 1), known: map[string]string{}}
}

func (n *networks) get(name string) (string, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	ref, ok := n.known[name]
	return ref, ok
}

func (n *networks) put(name, ref string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.known[name] = ref
}

func (n *networks) forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.known)
}

// lock waits for the token; unlock gives it back.
func (n *networks) lock(ctx context.Context) (unlock func(), err error) {
	select {
	case n.making <- struct{}{}:
		return func() { <-n.making }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// ensureNetwork returns a reference to the bridge of that name and makes it
// when it is absent. Two creates at once make one network: within this process
// by a lock, against other processes by looking again afterwards. Where
// duplicates exist all the same, everybody takes the oldest, by its ID.
func (d *Driver) ensureNetwork(ctx context.Context, name string, labels map[string]string) (string, error) {
	if ref, ok := d.networks.get(name); ok {
		return ref, nil
	}
	unlock, err := d.networks.lock(ctx)
	if err != nil {
		return "", classify(ctx, "wait for network "+name, err)
	}
	defer unlock()
	if ref, ok := d.networks.get(name); ok {
		return ref, nil
	}
	found, err := d.networksNamed(ctx, name)
	if err != nil {
		return "", err
	}
	if len(found) == 0 {
		made, err := d.makeNetwork(ctx, name, labels)
		if err != nil {
			return "", err
		}
		if found, err = d.networksNamed(ctx, name); err != nil {
			return "", err
		}
		found = d.dropDuplicate(ctx, found, made)
	}
	ref, err := pickNetwork(name, found)
	if err == nil {
		d.networks.put(name, ref)
	}
	return ref, err
}

// networksNamed lists the networks of exactly that name, oldest first.
func (d *Driver) networksNamed(ctx context.Context, name string) (out []network.Summary, err error) {
	err = d.call(ctx, classRead, "look for network "+name, func(ctx context.Context, cl *client.Client) error {
		all, err := cl.NetworkList(ctx, network.ListOptions{Filters: filters.NewArgs(filters.Arg("name", name))})
		for _, n := range all { // the filter matches parts of names too
			if n.Name == name {
				out = append(out, n)
			}
		}
		return err
	})
	slices.SortFunc(out, func(a, b network.Summary) int {
		if c := a.Created.Compare(b.Created); c != 0 {
			return c
		}
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return out, err
}

// makeNetwork makes the bridge; id is empty when another process was faster.
func (d *Driver) makeNetwork(ctx context.Context, name string, labels map[string]string) (id string, err error) {
	err = d.call(ctx, classWrite, "create network "+name, func(ctx context.Context, cl *client.Client) error {
		made, err := cl.NetworkCreate(ctx, name, network.CreateOptions{Driver: "bridge", Labels: maps.Clone(labels)})
		if cerrdefs.IsConflict(err) {
			return nil
		}
		id = made.ID
		return err
	})
	return id, err
}

// dropDuplicate removes the network that was just made when another of the
// same name is older.
func (d *Driver) dropDuplicate(ctx context.Context, found []network.Summary, made string) []network.Summary {
	if len(found) < 2 || made == "" || found[0].ID == made {
		return found
	}
	err := d.call(ctx, classWrite, "remove duplicate network "+made, func(ctx context.Context, cl *client.Client) error {
		return cl.NetworkRemove(ctx, made)
	})
	if err != nil {
		return found // still there: its ID is avoided by the choice of the oldest
	}
	return slices.DeleteFunc(found, func(n network.Summary) bool { return n.ID == made })
}

// pickNetwork chooses among networks of one name: by name where it is the only
// one, so that containers survive its being made anew, else the oldest by ID.
func pickNetwork(name string, found []network.Summary) (string, error) {
	found = slices.DeleteFunc(found, func(n network.Summary) bool { return n.Labels[runtime.LabelCluster] == "" })
	switch {
	case len(found) == 0:
		return "", fmt.Errorf("%w: network %q exists on this host but was not made by Muster; remove or rename it", runtime.ErrInvalid, name)
	case len(found) == 1:
		return name, nil
	}
	return found[0].ID, nil
}

// RemoveNetworks removes the cluster's networks whose stack is not in keep,
// but for those in use.
func (d *Driver) RemoveNetworks(ctx context.Context, clusterID string, keep map[string]bool) error {
	unlock, err := d.networks.lock(ctx)
	if err != nil {
		return classify(ctx, "wait to remove networks", err)
	}
	defer unlock()
	var all []network.Summary
	err = d.call(ctx, classRead, "list networks", func(ctx context.Context, cl *client.Client) (err error) {
		all, err = cl.NetworkList(ctx, network.ListOptions{
			Filters: filters.NewArgs(filters.Arg("label", runtime.LabelCluster+"="+clusterID)),
		})
		return err
	})
	if err != nil {
		return err
	}
	for _, n := range all {
		if keep[n.Labels[runtime.LabelStack]] {
			continue
		}
		d.networks.forget()
		err := d.call(ctx, classWrite, "remove network "+n.Name, func(ctx context.Context, cl *client.Client) error {
			err := cl.NetworkRemove(ctx, n.ID)
			if cerrdefs.IsNotFound(err) || cerrdefs.IsPermissionDenied(err) || cerrdefs.IsConflict(err) {
				return nil // gone, or a container uses it
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
