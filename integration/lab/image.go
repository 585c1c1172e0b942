//go:build linux

package lab

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"time"
)

// Image is a container image of one executable and nothing else.
type Image struct {
	Ref        string // name:tag
	Binary     string // path of a static executable; it becomes /NAME in the image
	Entrypoint []string
	Env        []string // NAME=value
	Port       int      // exposed TCP port, 0 for none
}

// WriteImages writes the images to one archive as `docker save` does. The same
// images give the same bytes, so every engine that loads them has the same IDs.
func WriteImages(archive string, images ...Image) error {
	f, err := os.Create(archive)
	if err != nil {
		return fmt.Errorf("write images: %w", err)
	}
	w := tar.NewWriter(f)
	var manifest []manifestEntry
	for _, img := range images {
		entry, err := writeImage(w, img)
		if err != nil {
			f.Close()
			return fmt.Errorf("write image %s: %w", img.Ref, err)
		}
		manifest = append(manifest, entry)
	}
	b, err := json.Marshal(manifest)
	if err == nil {
		err = addFile(w, "manifest.json", 0o644, b)
	}
	if err == nil {
		err = w.Close()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}

// manifestEntry is one image of a saved archive.
type manifestEntry struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// imageConfig is the part of an image's configuration that is used here, see the
// OCI image specification, config.md.
type imageConfig struct {
	Architecture string          `json:"architecture"`
	OS           string          `json:"os"`
	Created      time.Time       `json:"created"`
	Config       containerConfig `json:"config"`
	RootFS       rootFS          `json:"rootfs"`
	History      []history       `json:"history"`
}

type containerConfig struct {
	Entrypoint   []string            `json:"Entrypoint"`
	Env          []string            `json:"Env,omitempty"`
	ExposedPorts map[string]struct{} `json:"ExposedPorts,omitempty"`
}

type rootFS struct {
	Type    string   `json:"type"`
	DiffIDs []string `json:"diff_ids"`
}

type history struct {
	Created   time.Time `json:"created"`
	CreatedBy string    `json:"created_by"`
}

func writeImage(w *tar.Writer, img Image) (manifestEntry, error) {
	layer, err := binaryLayer(img.Binary)
	if err != nil {
		return manifestEntry{}, err
	}
	layerID := digest(layer)
	epoch := time.Unix(0, 0).UTC()
	config := imageConfig{
		Architecture: runtime.GOARCH, OS: "linux", Created: epoch,
		Config:  containerConfig{Entrypoint: img.Entrypoint, Env: img.Env},
		RootFS:  rootFS{Type: "layers", DiffIDs: []string{"sha256:" + layerID}},
		History: []history{{Created: epoch, CreatedBy: "muster lab"}},
	}
	if img.Port != 0 {
		config.Config.ExposedPorts = map[string]struct{}{fmt.Sprintf("%d/tcp", img.Port): {}}
	}
	b, err := json.Marshal(config)
	if err != nil {
		return manifestEntry{}, err
	}
	entry := manifestEntry{
		Config:   digest(b) + ".json",
		RepoTags: []string{img.Ref},
		Layers:   []string{path.Join(digest(b), "layer.tar")},
	}
	if err := addFile(w, entry.Config, 0o644, b); err != nil {
		return manifestEntry{}, err
	}
	return entry, addFile(w, entry.Layers[0], 0o644, layer)
}

func binaryLayer(binary string) ([]byte, error) {
	b, err := os.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	if err := addFile(w, filepath.Base(binary), 0o755, b); err != nil {
		return nil, err
	}
	err = w.Close()
	return layer.Bytes(), err
}

func addFile(w *tar.Writer, name string, mode int64, content []byte) error {
	header := &tar.Header{Name: name, Mode: mode, Size: int64(len(content)), ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR}
	if err := w.WriteHeader(header); err != nil {
		return err
	}
	_, err := w.Write(content)
	return err
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// LoadImage gives the host's engine the images of an archive of WriteImages or
// `docker save`.
func (h *Host) LoadImage(ctx context.Context, archive string) error {
	f, err := os.Open(archive)
	if err != nil {
		return fmt.Errorf("load an image on %s: %w", h.Name, err)
	}
	defer f.Close()
	status, answer, err := h.DockerAPI(ctx, http.MethodPost, "/images/load?quiet=1", io.Reader(f))
	if err != nil {
		return fmt.Errorf("load an image on %s: %w", h.Name, err)
	}
	// A failure after the first byte of the answer can only be told in its text.
	if status != http.StatusOK || bytes.Contains(answer, []byte(`"errorDetail"`)) {
		return fmt.Errorf("load an image on %s: the engine answered %d: %s", h.Name, status, answer)
	}
	return nil
}

// ImportImage gives the host's engine an image of one static executable.
func (h *Host) ImportImage(ctx context.Context, ref, binary string, entrypoint ...string) error {
	archive := filepath.Join(h.Dir, "import.tar")
	defer os.Remove(archive)
	if err := WriteImages(archive, Image{Ref: ref, Binary: binary, Entrypoint: entrypoint}); err != nil {
		return err
	}
	return h.LoadImage(ctx, archive)
}
