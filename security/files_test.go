package security

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestIdentityOnDisk(t *testing.T) {
	dir := t.TempDir()
	if _, err := LoadIdentity(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("empty directory: %v, want fs.ErrNotExist", err)
	}
	ca := mustCA(t, cluster1)
	id := mustIssue(t, ca, node1)
	// A left-over of a crash, readable by all, must not lend its mode.
	if err := os.WriteFile(filepath.Join(dir, identityFile+tempSuffix), []byte("half"), 0o644); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := SaveIdentity(dir, id); err != nil {
			t.Fatal(err)
		}
	}
	if got := names(t, dir); !cmp.Equal(got, []string{identityFile}) {
		t.Errorf("files %v", got)
	}
	info, err := os.Stat(filepath.Join(dir, identityFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	back, err := LoadIdentity(dir)
	if err != nil {
		t.Fatal(err)
	}
	if back.ClusterID != cluster1 || back.NodeID != node1 || back.CAHash != ca.Hash() ||
		!back.Key().Equal(id.Key()) || back.PublicKeyHash() != id.PublicKeyHash() || string(back.CAPEM()) != string(ca.CertPEM()) {
		t.Error("the identity came back changed")
	}
}

func TestClusterKeyOnDisk(t *testing.T) {
	dir := t.TempDir()
	if _, err := LoadClusterKey(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("empty directory: %v, want fs.ErrNotExist", err)
	}
	key := NewClusterKey()
	if err := SaveClusterKey(dir, key); err != nil {
		t.Fatal(err)
	}
	back, err := LoadClusterKey(dir)
	if err != nil || back != key {
		t.Fatalf("key came back changed, %v", err)
	}
	if err := RemoveClusterKey(dir); err != nil {
		t.Fatal(err)
	}
	if got := names(t, dir); len(got) != 0 {
		t.Errorf("left behind: %v", got)
	}
}

func TestWipe(t *testing.T) {
	dir := t.TempDir()
	if err := SaveIdentity(dir, mustIssue(t, mustCA(t, cluster1), node1)); err != nil {
		t.Fatal(err)
	}
	if err := SaveClusterKey(dir, NewClusterKey()); err != nil {
		t.Fatal(err)
	}
	keep := filepath.Join(dir, "raft.db")
	if err := os.WriteFile(keep, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // wiping twice is no error
		if err := Wipe(dir); err != nil {
			t.Fatal(err)
		}
	}
	if got := names(t, dir); !cmp.Equal(got, []string{"raft.db"}) {
		t.Errorf("files %v", got)
	}
	if err := Wipe(filepath.Join(dir, "absent")); err != nil {
		t.Errorf("absent directory: %v", err)
	}
}

func TestLoadIdentityRefusesDamage(t *testing.T) {
	ca := mustCA(t, cluster1)
	a, b := mustIssue(t, ca, node1), mustIssue(t, ca, node2)
	mixed := *a
	mixed.Cert.PrivateKey = b.Key()
	foreign := *a
	foreign.Cert.Certificate = [][]byte{a.Cert.Certificate[0], mustIssue(t, mustCA(t, cluster1), node1).Cert.Certificate[1]}
	whole, err := a.marshal()
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"empty":             nil,
		"cut":               whole[:len(whole)/2],
		"another key":       mustMarshal(t, &mixed),
		"another authority": mustMarshal(t, &foreign),
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, identityFile), data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadIdentity(dir); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func mustMarshal(t *testing.T, id *Identity) []byte {
	t.Helper()
	data, err := id.marshal()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func names(t *testing.T, dir string) (out []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}
