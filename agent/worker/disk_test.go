package worker

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/cluster"
)

func TestSetOnDisk(t *testing.T) {
	dir := t.TempDir()
	if _, ok, err := load(dir); ok || err != nil {
		t.Errorf("load of nothing = %v, %v, want none and no error", ok, err)
	}
	if err := os.WriteFile(filepath.Join(dir, fileName), []byte("not cbor"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := load(dir); err == nil {
		t.Error("load accepted garbage")
	}
	want := Set{
		Epoch: 1, Index: 2, Assignments: []Assignment{assign("t1", linked)}, Services: []cluster.ServiceID{"shop/web"},
		Networks: []cluster.Network{front, back},
	}
	if err := save(dir, want); err != nil {
		t.Fatal(err)
	}
	want.Services = nil // may be old news when the file is read
	got, ok, err := load(dir)
	if diff := cmp.Diff(want, got, byValue); !ok || err != nil || diff != "" {
		t.Errorf("load = %v, %v: %s", ok, err, diff)
	}
	info, err := os.Stat(filepath.Join(dir, fileName))
	if err != nil || info.Mode().Perm() != fileMode {
		t.Errorf("mode %v, %v, want 0600", info.Mode(), err)
	}
}

func FuzzDecode(f *testing.F) {
	good, err := encoding.Marshal(file{Version: fileVersion, Set: Set{Epoch: 1, Assignments: []Assignment{assign("t1", linked)}, Networks: []cluster.Network{front}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte("not cbor"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := decode(data)
		if err != nil {
			return
		}
		Plan(Input{Now: now, Assigned: s, Known: true, EngineUp: true, Limits: DefaultLimits})
	})
}
