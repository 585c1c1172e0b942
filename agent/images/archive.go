package images

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Bounds of what another node may make this one keep in memory.
const (
	maxConfig = 8 << 20 // bytes of an image's configuration
	maxLayers = 1024
)

// errUnlayered: the engine names or saves the image in a way that its layers
// cannot be told from.
var errUnlayered = errors.New("the image cannot be taken apart into layers")

// layersOf reads the layers (diff IDs) out of an image's configuration, see
// the OCI image specification, config.md.
func layersOf(config []byte) ([]string, error) {
	var c struct {
		RootFS struct {
			DiffIDs []string `json:"diff_ids"`
		} `json:"rootfs"`
	}
	if err := json.Unmarshal(config, &c); err != nil {
		return nil, fmt.Errorf("read the image's configuration: %w", err)
	}
	diffs := c.RootFS.DiffIDs
	if len(diffs) == 0 || len(diffs) > maxLayers {
		return nil, errUnlayered
	}
	for _, d := range diffs {
		if !blobDigest.MatchString(d) {
			return nil, fmt.Errorf("the image's configuration names a layer %q", d)
		}
	}
	return diffs, nil
}

// unpack keeps the configuration and the layers of the image id out of an
// archive of docker save. Which file is what is told by content alone, so that
// the archive's form does not matter.
func (b *blobs) unpack(id string, r io.Reader) error {
	found := map[string]bool{}
	keep := map[string]bool{}
	defer func() {
		for digest := range found {
			if !keep[digest] {
				b.drop(digest)
			}
		}
	}()
	in := tar.NewReader(r)
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("read the saved image: %w", err)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		digest, err := b.add(in, h.Size)
		if err != nil {
			return fmt.Errorf("keep %s of the saved image: %w", h.Name, err)
		}
		found[digest] = true
	}
	if !found[id] {
		return errUnlayered
	}
	config, err := b.read(id, maxConfig)
	if err != nil {
		return err
	}
	diffs, err := layersOf(config)
	if err != nil {
		return err
	}
	for _, d := range diffs {
		if !found[d] {
			return errUnlayered
		}
	}
	for _, d := range append(diffs, id) {
		keep[d] = true
	}
	return nil
}

// pack writes an archive that docker load takes, without the files of the first
// layers.
func (b *blobs) pack(w io.Writer, id string, config []byte, diffs []string, without int) error {
	out := tar.NewWriter(w)
	name := func(digest, suffix string) string { return strings.TrimPrefix(digest, "sha256:") + suffix }
	add := func(name string, size int64, r io.Reader) error {
		err := out.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: size, Format: tar.FormatPAX})
		if err == nil {
			_, err = io.Copy(out, r)
		}
		return err
	}
	var names []string
	for i, d := range diffs {
		names = append(names, name(d, ".tar"))
		if i < without || slices.Contains(diffs[without:i], d) {
			continue
		}
		f, size, err := b.open(d)
		if err == nil {
			err = errors.Join(add(names[i], size, f), f.Close())
		}
		if err != nil {
			return fmt.Errorf("pack layer %s: %w", d, err)
		}
	}
	manifest, err := json.Marshal([]map[string]any{{"Config": name(id, ".json"), "Layers": names}})
	if err != nil {
		return err
	}
	return errors.Join(
		add(name(id, ".json"), int64(len(config)), strings.NewReader(string(config))),
		add("manifest.json", int64(len(manifest)), strings.NewReader(string(manifest))),
		out.Close())
}
