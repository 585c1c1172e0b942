package docker

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/registry"
	"github.com/docker/docker/client"

	"github.com/musterhq/muster/runtime"
)

// imageID is an engine's ID of an image.
var imageID = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// HasImage reports whether the image is here, under its own digest or, fetched
// from a peer, under runtime.PeerTag.
func (d *Driver) HasImage(ctx context.Context, digest string) (bool, error) {
	_, err := d.findImage(ctx, digest)
	if errors.Is(err, runtime.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

func (d *Driver) inspectImage(ctx context.Context, ref string) (out image.InspectResponse, err error) {
	err = d.call(ctx, classRead, "look for image "+ref, func(ctx context.Context, cl *client.Client) (err error) {
		out, err = cl.ImageInspect(ctx, ref)
		return err
	})
	return out, err
}

// Resolve takes an image that was built on this host as it is: no registry has
// given or taken it. For any other it asks the registry first; when that fails,
// for whatever reason, the images of this host decide.
func (d *Driver) Resolve(ctx context.Context, ref string, login *runtime.Login) (string, error) {
	if imageID.MatchString(ref) {
		local, err := d.inspectImage(ctx, ref)
		return local.ID, err
	}
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return "", fmt.Errorf("image %q: %w: %w; write it as name[:tag]", ref, runtime.ErrInvalid, err)
	}
	if _, ok := named.(reference.Digested); ok {
		return reference.FamiliarString(named), nil
	}
	named = reference.TagNameOnly(named)
	local, err := d.inspectImage(ctx, reference.FamiliarString(named))
	switch {
	case err == nil && len(local.RepoDigests) == 0:
		return local.ID, nil
	case err != nil && !errors.Is(err, runtime.ErrNotFound):
		return "", err
	}
	digest, remoteErr := d.askRegistry(ctx, named, login)
	switch {
	case remoteErr == nil:
		return digest, nil
	case ctx.Err() != nil:
		return "", remoteErr
	case err != nil:
		return "", fmt.Errorf("image %q: %w: not on this host, and %v; push it or build it here", ref, runtime.ErrNotFound, remoteErr)
	}
	return localDigest(named, local), nil
}

// localDigest is the repository digest of a local image that has one, that of
// the reference's own repository before others.
func localDigest(named reference.Named, local image.InspectResponse) string {
	digests := slices.Sorted(slices.Values(local.RepoDigests))
	for _, d := range digests {
		if strings.HasPrefix(d, reference.FamiliarName(named)+"@") {
			return d
		}
	}
	return digests[0]
}

// askRegistry lets the engine ask the registry for the tag's digest.
func (d *Driver) askRegistry(ctx context.Context, named reference.Named, login *runtime.Login) (string, error) {
	auth, err := encode(login)
	if err != nil {
		return "", err
	}
	var out string
	err = d.call(ctx, classRegistry, "ask the registry for "+named.String(), func(ctx context.Context, cl *client.Client) error {
		answer, err := cl.DistributionInspect(ctx, named.String(), auth)
		if err != nil {
			return err
		}
		canonical, err := reference.WithDigest(reference.TrimNamed(named), answer.Descriptor.Digest)
		if err == nil {
			out = reference.FamiliarString(canonical)
		}
		return err
	})
	return out, err
}

// encode writes a login as the engine's API wants it; "" for none.
func encode(login *runtime.Login) (string, error) {
	if login == nil {
		return "", nil
	}
	return registry.EncodeAuthConfig(registry.AuthConfig{
		Username:      login.Username,
		Password:      login.Password,
		ServerAddress: login.Server,
		IdentityToken: login.IdentityToken,
	})
}

// Tag gives a local image a reference.
func (d *Driver) Tag(ctx context.Context, id, ref string) error {
	return d.call(ctx, classRead, "tag image "+id+" as "+ref, func(ctx context.Context, cl *client.Client) error {
		return cl.ImageTag(ctx, id, ref)
	})
}

// ListImages returns the host's images, without intermediate layers.
func (d *Driver) ListImages(ctx context.Context) ([]runtime.Image, error) {
	var out []runtime.Image
	err := d.call(ctx, classRead, "list images", func(ctx context.Context, cl *client.Client) error {
		all, err := cl.ImageList(ctx, image.ListOptions{})
		for _, i := range all {
			out = append(out, runtime.Image{
				ID: i.ID, Tags: realNames(i.RepoTags), Digests: realNames(i.RepoDigests),
				Size: i.Size, Created: time.Unix(i.Created, 0).UTC(),
			})
		}
		return err
	})
	return out, err
}

// Layers returns what an image is made of; one that came from a peer is found by
// its repository digest too.
func (d *Driver) Layers(ctx context.Context, ref string) ([]string, error) {
	found, err := d.findImage(ctx, ref)
	return found.RootFS.Layers, err
}

// findImage inspects an image by ID, by reference, or by the repository digest
// of one that came from a peer.
func (d *Driver) findImage(ctx context.Context, ref string) (image.InspectResponse, error) {
	found, err := d.inspectImage(ctx, ref)
	if errors.Is(err, runtime.ErrNotFound) && strings.Contains(ref, "@") {
		found, err = d.inspectImage(ctx, runtime.PeerTag(ref))
	}
	return found, err
}

// RemoveImage takes an image's names away one by one, and the image with the
// last. The engine looks for containers only then, so they are looked for first.
func (d *Driver) RemoveImage(ctx context.Context, id string) error {
	found, err := d.inspectImage(ctx, id)
	if errors.Is(err, runtime.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return d.call(ctx, classWrite, "remove image "+id, func(ctx context.Context, cl *client.Client) error {
		users, err := cl.ContainerList(ctx, container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("ancestor", found.ID))})
		if err != nil {
			return err
		}
		if len(users) > 0 {
			return fmt.Errorf("%w: container %s was made from it", runtime.ErrConflict, users[0].ID)
		}
		names := slices.Concat(realNames(found.RepoTags), realNames(found.RepoDigests))
		for _, name := range append(names, found.ID) {
			_, err := cl.ImageRemove(ctx, name, image.RemoveOptions{PruneChildren: true})
			if err != nil && !errors.Is(sentinel(err), runtime.ErrNotFound) {
				return err
			}
		}
		return nil
	})
}

// UsedImages asks for the containers of all of the host's users.
func (d *Driver) UsedImages(ctx context.Context) (ids []string, err error) {
	err = d.call(ctx, classRead, "list the images in use", func(ctx context.Context, cl *client.Client) error {
		all, err := cl.ContainerList(ctx, container.ListOptions{All: true})
		for _, c := range all {
			ids = append(ids, c.ImageID)
		}
		return err
	})
	return ids, err
}

// realNames drops the engine's place-holders for names that an image has not.
func realNames(refs []string) []string {
	return slices.DeleteFunc(refs, func(r string) bool { return strings.HasPrefix(r, "<none>") })
}
