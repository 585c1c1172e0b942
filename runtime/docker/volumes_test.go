package docker

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/volume"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

func TestOptionsOfVolumes(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(data, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	p := policy{protected: []string{data}, resolve: resolvePath}
	of := func(fsType, o, device string) map[string]string {
		return map[string]string{"type": fsType, "o": o, "device": device}
	}
	for name, tc := range map[string]struct {
		driver  string
		options map[string]string
		allowed bool
	}{
		"no options":               {"local", nil, true},
		"a bind elsewhere":         {"local", of("none", "bind", "/srv/data"), true},
		"with a slash at its end":  {"local", of("none", "bind", "/srv/data/"), true},
		"a share":                  {"local", of("nfs", "addr=10.0.0.1,rw", ":/export"), true},
		"memory":                   {"local", of("tmpfs", "size=64m,uid=1000", "tmpfs"), true},
		"a disk":                   {"local", of("ext4", "", "/dev/sdz9"), true},
		"layers elsewhere":         {"local", of("overlay", "lowerdir=/srv/a:/srv/b,upperdir=/srv/c,workdir=/srv/d", "overlay"), true},
		"another driver":           {"nfs-plugin", map[string]string{"device": data}, true},
		"our data":                 {"local", of("none", "bind", data), false},
		"by a driver of no name":   {"", of("none", "bind", data), false},
		"recursively":              {"local", of("none", "rw,rbind", data), false},
		"without saying bind":      {"local", of("none", "", data), false},
		"below our data":           {"local", of("none", "bind", data+"/identity"), false},
		"above our data":           {"local", of("none", "bind", dir), false},
		"all of it":                {"local", of("none", "bind", "/"), false},
		"behind a link":            {"local", of("none", "bind", dir+"/link"), false},
		"through the process":      {"local", of("none", "bind", "/proc/self/root"+data), false},
		"with dots":                {"local", of("none", "bind", "/srv/.."+data), false},
		"relative":                 {"local", of("none", "bind", strings.TrimPrefix(data, "/")), false},
		"relative with dots":       {"local", of("none", "bind", "../.."+data), false},
		"nothing at all":           {"local", of("none", "bind", ""), false},
		"as a layer":               {"local", of("overlay", "lowerdir=/srv/a:"+data, "overlay"), false},
		"as the upper layer":       {"local", of("overlay", "lowerdir=/srv/a,upperdir="+data+",workdir=/srv/w", "overlay"), false},
		"as a newer kind of layer": {"local", of("overlay", "lowerdir+="+data, "overlay"), false},
		"as a relative layer":      {"local", of("overlay", "lowerdir=var/lib", "overlay"), false},
	} {
		t.Run(name, func(t *testing.T) {
			err := p.checkOptions("v", tc.driver, tc.options)
			if tc.allowed && err != nil || !tc.allowed && !errors.Is(err, runtime.ErrRefused) {
				t.Errorf("%v, want it allowed: %v", err, tc.allowed)
			}
		})
	}
}

// A volume that was made before, by whomever, is judged by what it mounts,
// whether the service calls it its own or external.
func TestVolumesThatExistAreJudged(t *testing.T) {
	data := t.TempDir()
	options := map[string]map[string]string{
		"shop_taken": {"type": "none", "o": "bind", "device": data},
		"taken":      {"type": "none", "o": "bind", "device": data},
		"shop_plain": nil,
		"plain":      nil,
	}
	made := 0
	d := scriptedEngine(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, name, isVolume := strings.Cut(r.URL.Path, "/volumes/")
		switch {
		case strings.HasSuffix(r.URL.Path, "/_ping"):
			w.Header().Set("Api-Version", "1.41")
		case isVolume:
			o, there := options[name]
			if !there {
				w.WriteHeader(http.StatusNotFound)
				_, _ = w.Write([]byte(`{"message":"no such volume"}`))
				return
			}
			_ = json.NewEncoder(w).Encode(volume.Volume{Name: name, Driver: "local", Options: o})
		case strings.HasSuffix(r.URL.Path, "/containers/create"):
			made++
			w.WriteHeader(http.StatusCreated)
			_, _ = w.Write([]byte(`{"Id":"c"}`))
		default:
			_, _ = w.Write([]byte(`[]`))
		}
	}))
	d.policy.protected = []string{data}
	for _, tc := range []struct {
		source   string
		external bool
		want     error
	}{
		{"plain", false, nil},
		{"plain", true, nil},
		{"new", false, nil},
		{"new", true, runtime.ErrInvalid},
		{"taken", false, runtime.ErrRefused},
		{"taken", true, runtime.ErrRefused},
	} {
		c := request()
		c.Networks, c.Spec.NetworkMode = nil, "none"
		c.Spec.Mounts = []cluster.Mount{{Type: cluster.MountVolume, Source: tc.source, Target: "/data", External: tc.external}}
		before := made
		_, err := d.Create(t.Context(), c)
		if !errors.Is(err, tc.want) || made-before > 0 != (tc.want == nil) {
			t.Errorf("volume %q, external %v: %v, %d containers made", tc.source, tc.external, err, made-before)
		}
	}
}

// What makes or changes a container, a volume or a service on the engine stands
// in one place, behind the policy.
func TestOneWayToTheEngine(t *testing.T) {
	allowed := map[string][]string{
		"ContainerCreate": {"send"}, "ImageBuild": {"Build"}, "NetworkCreate": {"sendNetwork"}, "NetworkConnect": {"sendJoin"}, "ContainerExecCreate": {"createExec"},
		"ContainerStart": {"Start"},
	}
	never := []string{"ContainerUpdate", "VolumeCreate", "VolumeUpdate", "ServiceCreate", "ServiceUpdate", "ContainerCommit", "PluginInstall", "CopyToContainer"}
	files := token.NewFileSet()
	found := map[string][]string{}
	err := filepath.WalkDir(".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(files, path, nil, 0)
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			ast.Inspect(fn, func(n ast.Node) bool {
				if sel, ok := n.(*ast.SelectorExpr); ok {
					found[sel.Sel.Name] = append(found[sel.Sel.Name], fn.Name.Name)
				}
				return true
			})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for call, in := range allowed {
		if !slices.Equal(found[call], in) {
			t.Errorf("%s is called in %v, want %v", call, found[call], in)
		}
	}
	for _, call := range never {
		if len(found[call]) > 0 {
			t.Errorf("%s is called in %v: nothing there passes the policy", call, found[call])
		}
	}
}
