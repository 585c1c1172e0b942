package fake

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/musterhq/muster/runtime"
)

// AddImage puts an image on the host under a reference (a tag, a repository
// digest or an image ID) and returns its ID.
func (d *Driver) AddImage(ref string) (id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.addImage(ref)
}

// AddRemote puts an image into the registry.
func (d *Driver) AddRemote(ref, digest string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.remote[ref] = digest
}

// AddDigest gives an image of this host a repository digest, as a pull does.
func (d *Driver) AddDigest(id, digest string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := d.images[id]
	i.Digests = append(i.Digests, digest)
	d.images[id] = i
}

// addImage is AddImage. The lock is held.
func (d *Driver) addImage(ref string) string {
	id := "sha256:" + hash("image "+ref)
	if strings.HasPrefix(ref, "sha256:") {
		id = ref
	}
	i := d.images[id]
	if i.ID == "" {
		i = runtime.Image{ID: id, Size: 1 << 20, Created: d.now()}
	}
	switch {
	case ref == id:
	case strings.Contains(ref, "@"):
		i.Digests = append(i.Digests, ref)
	default:
		i.Tags = append(i.Tags, ref)
	}
	d.images[id] = i
	return id
}

// findImage finds an image by any of its names, or by its peer tag. The lock is held.
func (d *Driver) findImage(ref string) (runtime.Image, bool) {
	if i, ok := d.images[ref]; ok {
		return i, true
	}
	for _, id := range slices.Sorted(maps.Keys(d.images)) {
		i := d.images[id]
		if slices.Contains(i.Tags, ref) || slices.Contains(i.Digests, ref) ||
			strings.Contains(ref, "@") && slices.Contains(i.Tags, runtime.PeerTag(ref)) {
			return i, true
		}
	}
	return runtime.Image{}, false
}

// HasImage reports whether the image is here.
func (d *Driver) HasImage(ctx context.Context, digest string) (ok bool, err error) {
	err = d.do(ctx, OpImage, digest, func() error {
		_, ok = d.findImage(digest)
		return nil
	})
	return ok, err
}

// Resolve asks the registry, then this host.
func (d *Driver) Resolve(ctx context.Context, ref string, _ *runtime.Login) (digest string, err error) {
	err = d.do(ctx, OpImage, ref, func() error {
		if digest = d.remote[ref]; digest != "" {
			return nil
		}
		i, ok := d.findImage(ref)
		switch {
		case !ok:
			return runtime.ErrNotFound
		case len(i.Digests) > 0:
			digest = i.Digests[0]
		default:
			digest = i.ID
		}
		return nil
	})
	return digest, err
}

// Pull fetches a digest that the registry has.
func (d *Driver) Pull(ctx context.Context, digest string, _ *runtime.Login) error {
	return d.do(ctx, OpPull, digest, func() error {
		if !slices.Contains(slices.Collect(maps.Values(d.remote)), digest) {
			return runtime.ErrNotFound
		}
		d.addImage(digest)
		return nil
	})
}

// Layers returns what AddLayers made an image of; other images have none.
func (d *Driver) Layers(ctx context.Context, image string) (out []string, err error) {
	err = d.do(ctx, OpImage, image, func() error {
		i, ok := d.findImage(image)
		if !ok {
			return runtime.ErrNotFound
		}
		out = digests(d.layers[i.ID].layers)
		return nil
	})
	return out, err
}

// RemoveImage removes an image that no container was made from.
func (d *Driver) RemoveImage(ctx context.Context, id string) error {
	return d.do(ctx, OpImage, id, func() error {
		for _, c := range d.containers {
			if c.seen().Image == id {
				return fmt.Errorf("%w: container %s was made from it", runtime.ErrConflict, c.seen().ID)
			}
		}
		delete(d.images, id)
		delete(d.layers, id)
		return nil
	})
}

// UsedImages are the images of all containers.
func (d *Driver) UsedImages(ctx context.Context) (ids []string, err error) {
	err = d.do(ctx, OpImage, "", func() error {
		for _, c := range d.containers {
			ids = append(ids, c.seen().Image)
		}
		return nil
	})
	return ids, err
}

// Tag gives an image a reference.
func (d *Driver) Tag(ctx context.Context, id, ref string) error {
	return d.do(ctx, OpImage, id, func() error {
		i, ok := d.findImage(id)
		if !ok {
			return runtime.ErrNotFound
		}
		i.Tags = append(i.Tags, ref)
		d.images[i.ID] = i
		return nil
	})
}

// ListImages returns the host's images in the order of their IDs.
func (d *Driver) ListImages(ctx context.Context) (out []runtime.Image, err error) {
	err = d.do(ctx, OpImage, "", func() error {
		for _, id := range slices.Sorted(maps.Keys(d.images)) {
			out = append(out, d.images[id])
		}
		return nil
	})
	return out, err
}

// Build makes an image whose ID depends on the context and the tag.
func (d *Driver) Build(ctx context.Context, b runtime.Build, contextTar io.Reader, out io.Writer) (id string, err error) {
	data, err := io.ReadAll(contextTar)
	if err != nil {
		return "", err
	}
	err = d.do(ctx, OpBuild, b.Tag, func() error {
		id = d.addImage("sha256:" + hash(b.Tag+string(data)))
		i := d.images[id]
		i.Tags = append(i.Tags, b.Tag)
		d.images[id] = i
		_, err := io.WriteString(out, "Successfully built "+id+"\n")
		return err
	})
	return id, err
}
