package fake

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/musterhq/muster/runtime"
)

// saved is the form of a saved image without layers: this and its ID, in one line.
const saved = "fake image "

// manifest is one image of an archive of docker save.
type manifest struct {
	Config string
	Layers []string
}

// imageConfig is the part of an image's configuration that names its layers.
type imageConfig struct {
	RootFS struct {
		DiffIDs []string `json:"diff_ids"`
	} `json:"rootfs"`
}

// layered is what an image with layers is made of.
type layered struct {
	config []byte
	layers []string // their contents
}

// AddLayers puts an image of layers with these contents on the host under a tag,
// and returns its ID, which is the hash of its configuration.
func (d *Driver) AddLayers(tag string, layers ...string) (id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	l := layered{config: configOf(layers), layers: layers}
	id = d.addImage("sha256:" + hash(string(l.config)))
	d.layers[id] = l
	i := d.images[id]
	i.Tags = append(i.Tags, tag)
	d.images[id] = i
	return id
}

func configOf(layers []string) []byte {
	var c imageConfig
	c.RootFS.DiffIDs = digests(layers)
	b, err := json.Marshal(c)
	if err != nil {
		panic(err) // strings only
	}
	return b
}

func digests(layers []string) []string {
	var out []string
	for _, l := range layers {
		out = append(out, "sha256:"+hash(l))
	}
	return out
}

// Save writes an image in a form that Load reads: an archive of docker save
// where it has layers.
func (d *Driver) Save(ctx context.Context, image string, w io.Writer) error {
	var id string
	var made layered
	err := d.do(ctx, OpSave, image, func() error {
		i, ok := d.findImage(image)
		if !ok {
			return runtime.ErrNotFound
		}
		id, made = i.ID, d.layers[i.ID]
		return nil
	})
	if err != nil {
		return err
	}
	if made.layers == nil {
		_, err = io.WriteString(w, saved+id+"\n")
		return err
	}
	return made.write(w)
}

func (l layered) write(w io.Writer) error {
	out := tar.NewWriter(w)
	add := func(name string, content []byte) error {
		err := out.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))})
		if err == nil {
			_, err = out.Write(content)
		}
		return err
	}
	m := manifest{Config: hash(string(l.config)) + ".json"}
	var err error
	for i, content := range l.layers {
		m.Layers = append(m.Layers, fmt.Sprintf("%d/layer.tar", i))
		err = errors.Join(err, add(m.Layers[i], []byte(content)))
	}
	b, encodeErr := json.Marshal([]manifest{m})
	return errors.Join(err, encodeErr, add(m.Config, l.config), add("manifest.json", b), out.Close())
}

// Load reads what Save wrote, or another archive of docker save.
func (d *Driver) Load(ctx context.Context, r io.Reader) (ids []string, err error) {
	data, err := io.ReadAll(bufio.NewReader(r))
	if err != nil {
		return nil, err
	}
	err = d.do(ctx, OpSave, "", func() error {
		if !bytes.HasPrefix(data, []byte(saved)) {
			ids, err = d.loadArchive(data)
			return err
		}
		for l := range strings.Lines(string(data)) {
			id, ok := strings.CutPrefix(strings.TrimSpace(l), saved)
			if !ok {
				return fmt.Errorf("%w: not a saved image", runtime.ErrInvalid)
			}
			ids = append(ids, d.addImage(id))
		}
		return nil
	})
	return ids, err
}

// loadArchive takes an archive's images in as the engine does. The lock is held.
func (d *Driver) loadArchive(data []byte) (ids []string, err error) {
	files := map[string][]byte{}
	for in := tar.NewReader(bytes.NewReader(data)); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", runtime.ErrInvalid, err)
		}
		if files[h.Name], err = io.ReadAll(in); err != nil {
			return nil, err
		}
	}
	var all []manifest
	if err := json.Unmarshal(files["manifest.json"], &all); err != nil {
		return nil, fmt.Errorf("%w: manifest.json: %w", runtime.ErrInvalid, err)
	}
	for _, m := range all {
		id, err := d.loadOne(m, files)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func (d *Driver) loadOne(m manifest, files map[string][]byte) (id string, err error) {
	var c imageConfig
	if err := json.Unmarshal(files[m.Config], &c); err != nil || len(c.RootFS.DiffIDs) != len(m.Layers) {
		return "", fmt.Errorf("%w: the configuration %s does not fit the manifest (%v)", runtime.ErrInvalid, m.Config, err)
	}
	var layers []string
	for i, diff := range c.RootFS.DiffIDs {
		if known, ok := d.layerOn(layers, diff); ok {
			layers = append(layers, known)
			continue
		}
		content, ok := files[m.Layers[i]]
		if !ok {
			return "", fmt.Errorf("open %s: no such file or directory", m.Layers[i])
		}
		if got := "sha256:" + hash(string(content)); got != diff {
			return "", fmt.Errorf("%w: invalid diffID for layer %d: expected %q, got %q", runtime.ErrInvalid, i, diff, got)
		}
		layers = append(layers, string(content))
	}
	id = d.addImage("sha256:" + hash(string(files[m.Config])))
	d.layers[id] = layered{config: files[m.Config], layers: layers}
	return id, nil
}

// layerOn finds the layer diff that some image here has on the layers below.
func (d *Driver) layerOn(below []string, diff string) (content string, ok bool) {
	at := len(below)
	for _, image := range d.layers {
		have := image.layers
		if len(have) > at && slices.Equal(have[:at], below) && "sha256:"+hash(have[at]) == diff {
			return have[at], true
		}
	}
	return "", false
}
