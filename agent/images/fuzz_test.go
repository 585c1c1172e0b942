package images

import (
	"archive/tar"
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/musterhq/muster/api"
)

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(s[:])
}

// saved is an archive of docker save: its configuration's digest names it.
func saved(f *testing.F, files ...[]byte) []byte {
	f.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i, file := range files {
		if err := w.WriteHeader(&tar.Header{Name: string(rune('a' + i)), Size: int64(len(file)), Mode: 0o600, Typeflag: tar.TypeReg}); err != nil {
			f.Fatal(err)
		}
		if _, err := w.Write(file); err != nil {
			f.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		f.Fatal(err)
	}
	return b.Bytes()
}

// Archives of the engine and layers of other nodes may be anything; what is kept
// of them has the digest that it is kept under, in its own directory.
func FuzzReceive(f *testing.F) {
	layer := []byte("layer")
	config, err := json.Marshal(map[string]any{"rootfs": map[string]any{"diff_ids": []string{sum(layer)}}})
	if err != nil {
		f.Fatal(err)
	}
	head, err := json.Marshal(api.LayerHead{LayerPart: api.LayerPart{Digest: sum(layer)}, Size: int64(len(layer))})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(saved(f, config, layer), config)
	f.Add(saved(f, config), append(append(head, '\n'), layer...))
	f.Add([]byte("no archive"), []byte(`{"rootfs":{"diff_ids":["../../etc"]}}`))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, archive, answer []byte) {
		b, err := openBlobs(dir, func(string) (int64, int64, error) { return 1 << 40, 1 << 40, nil })
		if err != nil {
			t.Fatal(err)
		}
		_ = b.unpack(sum(config), bytes.NewReader(archive))
		_, _ = layersOf(answer)
		s := &search{Fetcher: &Fetcher{cfg: Config{Store: &Store{blobs: b}}}}
		_ = s.receiveOne(api.LayerPart{Digest: sum(layer)}, bufio.NewReaderSize(bytes.NewReader(answer), maxHead))
		kept, err := os.ReadDir(filepath.Join(dir, "whole"))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range kept {
			content, err := os.ReadFile(filepath.Join(dir, "whole", e.Name()))
			if err != nil || sum(content) != "sha256:"+e.Name() {
				t.Errorf("%s holds something else: %v", e.Name(), err)
			}
			b.drop("sha256:" + e.Name())
		}
	})
}

func FuzzLedger(f *testing.F) {
	f.Add([]byte(`{"sha256:00":{"ref":"web:1"}}`))
	f.Add([]byte(`null`))
	f.Add([]byte(`[]`))
	path := filepath.Join(f.TempDir(), "ledger")
	f.Fuzz(func(t *testing.T, content []byte) {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		l, _ := openLedger(path) // one that cannot be read is begun anew
		if err := l.change(func(m map[string]Brought) bool { m["x"] = Brought{}; return true }); err != nil {
			t.Errorf("it cannot be changed: %v", err)
		}
	})
}
