package runtimetest

import (
	"archive/tar"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/musterhq/muster/runtime"
)

// ImageTag is the reference of the image that BuildImage makes.
const ImageTag = "muster-runtimetest:latest"

const dockerfile = `FROM scratch
COPY testprogram /testprogram
ENTRYPOINT ["/testprogram"]
CMD ["serve"]
`

// BuildImage makes the image that the suite's containers run, out of the test
// program alone, and returns its ID. It stays on the host for the next run.
func BuildImage(t testing.TB, b runtime.Builder) (id string) {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "testprogram")
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", binary,
		"github.com/musterhq/muster/runtime/runtimetest/testprogram")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the test program: %v\n%s", err, out)
	}
	program, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	var contextTar, printed bytes.Buffer
	w := tar.NewWriter(&contextTar)
	for _, f := range []struct {
		name string
		mode int64
		data []byte
	}{{"Dockerfile", 0o644, []byte(dockerfile)}, {"testprogram", 0o755, program}} {
		header := &tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.data))}
		if err := w.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(f.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	id, err = b.Build(t.Context(), runtime.Build{Tag: ImageTag, Dockerfile: "Dockerfile"}, &contextTar, &printed)
	if err != nil {
		t.Fatalf("build the test image: %v\n%s", err, &printed)
	}
	return id
}
