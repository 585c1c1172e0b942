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

// The images of the example programs. Those of hello differ in what they say their
// version is.
const (
	Hello  = "muster-hello:1"
	Hello2 = "muster-hello:2"
	Shop   = "muster-shop:1"

	examples = "github.com/musterhq/muster/configs/examples/"
)

// BuildHello builds the example program and writes both of its images to an
// archive in the lab's directory, once. The caller must run inside the module.
func (l *Lab) BuildHello(ctx context.Context) (archive string, err error) {
	return l.build(ctx, "hello", func(binary string) []Image {
		image := func(ref, version string) Image {
			return Image{Ref: ref, Binary: binary, Entrypoint: []string{"/hello"}, Env: []string{"HELLO_VERSION=" + version}, Port: 80}
		}
		return []Image{image(Hello, "1"), image(Hello2, "2")}
	})
}

// build builds one of the example programs and writes its images to an archive,
// once.
func (l *Lab) build(ctx context.Context, name string, images func(binary string) []Image) (archive string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if archive, ok := l.examples[name]; ok {
		return archive, nil
	}
	binary := filepath.Join(l.Dir, name)
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", binary, examples+name)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", examples+name, err, out)
	}
	archive = filepath.Join(l.Dir, name+".tar")
	if err := WriteImages(archive, images(binary)...); err != nil {
		return "", err
	}
	if l.examples == nil {
		l.examples = map[string]string{}
	}
	l.examples[name] = archive
	return archive, nil
}

// LoadHello builds the example images and gives them to the hosts named, or to
// all that are up.
func (l *Lab) LoadHello(ctx context.Context, hosts ...*Host) error {
	archive, err := l.BuildHello(ctx)
	if err != nil {
		return err
	}
	return l.load(ctx, archive, hosts)
}

// LoadShop is LoadHello for the program of the example stack.
func (l *Lab) LoadShop(ctx context.Context, hosts ...*Host) error {
	archive, err := l.build(ctx, "shop", func(binary string) []Image {
		return []Image{{Ref: Shop, Binary: binary, Entrypoint: []string{"/shop"}, Port: 8080}}
	})
	if err != nil {
		return err
	}
	return l.load(ctx, archive, hosts)
}

func (l *Lab) load(ctx context.Context, archive string, hosts []*Host) error {
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
