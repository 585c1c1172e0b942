//go:build linux

package lab

import (
	"os"
	"path/filepath"
	"testing"
)

func TestWriteImagesIsRepeatable(t *testing.T) {
	dir := t.TempDir()
	img := Image{Ref: "x:1", Binary: testBinary(t), Entrypoint: []string{"/x"}, Env: []string{"A=1"}, Port: 80}
	var sums []string
	for _, name := range []string{"a.tar", "b.tar"} {
		if err := WriteImages(filepath.Join(dir, name), img); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		sums = append(sums, digest(b))
	}
	if sums[0] != sums[1] {
		t.Error("the same image gives two archives")
	}
}
