package docker

import (
	"context"
	"fmt"
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
	known map[string]knownNetwork // by name
}

// knownNetwork is a network that was as wanted when it was last looked for.
type knownNetwork struct {
	ref    string // names it without doubt
	wanted runtime.Network
}

func newNetworks() *networks {
	return &networks{making: make(chan struct{}, 1), known: map[string]knownNetwork{}}
}

func (n *networks) get(wanted *runtime.Network) (ref string, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	k, ok := n.known[wanted.Name]
	return k.ref, ok && k.wanted.Is(wanted) && k.wanted.MTU == wanted.MTU
}

func (n *networks) put(wanted *runtime.Network, ref string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.known[wanted.Name] = knownNetwork{ref, *wanted}
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

// ensureNetwork returns a reference to the network and makes it when it is absent.
// Two creates at once make one network: within this process by a lock, against
// other processes by looking again afterwards. Where duplicates exist all the
// same, everybody takes the oldest, by its ID.
func (d *Driver) ensureNetwork(ctx context.Context, n *runtime.Network) (string, error) {
	if ref, ok := d.networks.get(n); ok {
		return ref, nil
	}
	unlock, err := d.networks.lock(ctx)
	if err != nil {
		return "", classify(ctx, "wait for network "+n.Name, err)
	}
	defer unlock()
	if ref, ok := d.networks.get(n); ok {
		return ref, nil
	}
	found, err := d.networksNamed(ctx, n.Name)
	if err == nil {
		found, err = d.dropOutdated(ctx, n, found)
	}
	if err != nil {
		return "", err
	}
	if len(found) == 0 {
		if err := d.makeNetwork(ctx, n); err != nil {
			return "", err
		}
		if found, err = d.networksNamed(ctx, n.Name); err != nil {
			return "", err
		}
		found = d.dropDuplicates(ctx, found)
	}
	ref, err := pickNetwork(n.Name, found)
	if err == nil {
		d.networks.put(n, ref)
	}
	return ref, err
}

// networksNamed lists the networks of exactly that name, oldest first.
func (d *Driver) networksNamed(ctx context.Context, name string) (out []network.Summary, err error) {
	all, err := d.listNetworks(ctx, filters.Arg("name", name))
	for _, n := range all { // the filter matches parts of names too
		if n.Name == name {
			out = append(out, n)
		}
	}
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

// dropDuplicates removes the networks of a name that are younger than the oldest
// and unused. Of two processes that made one at once, each may have seen its own
// first.
func (d *Driver) dropDuplicates(ctx context.Context, found []network.Summary) []network.Summary {
	var out []network.Summary
	for i, n := range found {
		if i > 0 && n.Labels[runtime.LabelCluster] != "" {
			if gone, err := d.removeUnused(ctx, n); gone && err == nil {
				continue // else its ID is avoided by the choice of the oldest
			}
		}
		out = append(out, n)
	}
	return out
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

// RemoveNetworks removes the cluster's networks whose name is not in keep, but
// for those in use.
func (d *Driver) RemoveNetworks(ctx context.Context, clusterID string, keep map[string]bool) error {
	unlock, err := d.networks.lock(ctx)
	if err != nil {
		return classify(ctx, "wait to remove networks", err)
	}
	defer unlock()
	all, err := d.listNetworks(ctx, filters.Arg("label", runtime.LabelCluster+"="+clusterID))
	if err != nil {
		return err
	}
	for _, n := range all {
		if keep[n.Name] {
			continue
		}
		if _, err := d.removeUnused(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

// removeUnused removes a network unless a container uses it.
func (d *Driver) removeUnused(ctx context.Context, n network.Summary) (gone bool, err error) {
	d.networks.forget()
	gone = true
	err = d.call(ctx, classWrite, "remove network "+n.Name, func(ctx context.Context, cl *client.Client) error {
		err := cl.NetworkRemove(ctx, n.ID)
		switch {
		case cerrdefs.IsNotFound(err):
			return nil
		case cerrdefs.IsPermissionDenied(err), cerrdefs.IsConflict(err):
			gone = false
			return nil
		}
		return err
	})
	return gone && err == nil, err
}

// listNetworks lists the networks that match.
func (d *Driver) listNetworks(ctx context.Context, match ...filters.KeyValuePair) (all []network.Summary, err error) {
	err = d.call(ctx, classRead, "list networks", func(ctx context.Context, cl *client.Client) (err error) {
		all, err = cl.NetworkList(ctx, network.ListOptions{Filters: filters.NewArgs(match...)})
		return err
	})
	return all, err
}
