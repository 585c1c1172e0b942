package docker

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

// swapped is a container whose bind has become a link to what is protected since
// it was made.
func swapped(t *testing.T, link func(data, srv string) error) (d *Driver, id, srv string) {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	data, srv := filepath.Join(dir, "data"), filepath.Join(dir, "srv")
	for _, d := range []string{data, filepath.Join(data, "raft"), srv} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	d, f := live(t, Config{Protected: []string{data}})
	request := liveRequest(t, d, f)
	request.Spec.Mounts = []cluster.Mount{{Type: cluster.MountBind, Source: srv, Target: "/srv"}}
	id = mustRun(t, d, request) // as long as it is what it was
	err = errors.Join(d.Stop(t.Context(), id, 0), os.Remove(srv), link(data, srv))
	if err != nil {
		t.Fatal(err)
	}
	return d, id, srv
}

func toData(data, srv string) error { return os.Symlink(data, srv) }

func TestSourceSwappedSinceCreate(t *testing.T) {
	d, id, _ := swapped(t, toData)
	if err := d.Start(t.Context(), id); !errors.Is(err, runtime.ErrRefused) {
		t.Errorf("Start = %v, want ErrRefused", err)
	}
	if c, err := d.Inspect(t.Context(), id); err != nil || c.Status == runtime.StatusRunning {
		t.Errorf("it is %s, %v", c.Status, err)
	}
}

// Whoever swaps it between the look and the start is found out right after it.
func TestSourceSwappedBeforeStart(t *testing.T) {
	for name, link := range map[string]func(data, srv string) error{
		"all":   toData,
		"below": func(data, srv string) error { return os.Symlink(filepath.Join(data, "raft"), srv) },
		"above": func(data, srv string) error { return os.Symlink(filepath.Dir(data), srv) },
	} {
		t.Run(name, func(t *testing.T) {
			d, id, srv := swapped(t, link)
			d.policy.resolve = func(path string) (string, error) {
				if path == srv {
					return srv, nil // as it was when it was looked at
				}
				return resolvePath(path)
			}
			if err := d.Start(t.Context(), id); !errors.Is(err, runtime.ErrRefused) {
				t.Errorf("Start = %v, want ErrRefused", err)
			}
			if c, err := d.Inspect(t.Context(), id); !errors.Is(err, runtime.ErrNotFound) {
				t.Errorf("it is there, %s: %v", c.Status, err)
			}
		})
	}
}

func TestMounted(t *testing.T) {
	own := parseMounts(`22 1 254:0 / / rw - ext4 /dev/vda rw
23 22 0:24 / /run rw - tmpfs tmpfs rw
24 22 254:1 /sub /var/lib/with\040space rw - ext4 /dev/vdb rw
short
`)
	p := policy{protected: []string{"/var/lib/muster", "/run/docker.sock", "/var/lib/with space/x"}, resolve: func(p string) (string, error) { return p, nil }}
	for into, allowed := range map[mounted]bool{
		{"254:0", "/var/lib/muster", "/a"}:      false,
		{"254:0", "/var/lib/muster/raft", "/a"}: false,
		{"254:0", "/var", "/a"}:                 false,
		{"254:0", "/", "/a"}:                    false,
		{"254:0", "/var/lib/muster2", "/a"}:     true,
		{"0:99", "/", "/"}:                      true, // its own file system
		{"0:24", "/docker.sock", "/a"}:          false,
		{"0:24", "/", "/a"}:                     false,
		{"0:24", "/user", "/a"}:                 true,
		{"254:1", "/sub/x", "/a"}:               false,
		{"254:1", "/x", "/a"}:                   true,
		{"254:0", "/srv/www", "/a"}:             true,
	} {
		if err := p.checkMounted(own, []mounted{into}); (err == nil) != allowed {
			t.Errorf("%+v: %v, want allowed: %v", into, err, allowed)
		}
	}
}
