//go:build linux

package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/sync/errgroup"
)

// The images of the example program; they differ in what they say their version is.
const (
	Hello  = "muster-hello:1"
	Hello2 = "muster-hello:2"

	helloPackage = "github.com/musterhq/muster/configs/examples/hello"
)

// BuildHello builds the example program and writes both of its images to an
// archive in the lab's directory, once. The caller must run inside the module.
func (l *Lab) BuildHello(ctx context.Context) (archive string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.hello != "" {
		return l.hello, nil
	}
	binary := filepath.Join(l.Dir, "hello")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", binary, helloPackage)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", helloPackage, err, out)
	}
	image := func(ref, version string) Image {
		return Image{Ref: ref, Binary: binary, Entrypoint: []string{"/hello"}, Env: []string{"HELLO_VERSION=" + version}, Port: 80}
	}
	archive = filepath.Join(l.Dir, "hello.tar")
	if err := WriteImages(archive, image(Hello, "1"), image(Hello2, "2")); err != nil {
		return "", err
	}
	l.hello = archive
	return archive, nil
}

// LoadHello builds the example images and gives them to the hosts named, or to
// all that are up.
func (l *Lab) LoadHello(ctx context.Context, hosts ...*Host) error {
	archive, err := l.BuildHello(ctx)
	if err != nil {
		return err
	}
	if len(hosts) == 0 {
		hosts = l.Hosts()
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, h := range hosts {
		if h.Up() {
			g.Go(func() error { return h.LoadImage(ctx, archive) })
		}
	}
	return g.Wait()
}
