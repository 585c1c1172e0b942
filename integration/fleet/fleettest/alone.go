//go:build linux

package fleettest

import (
	"path/filepath"
	"testing"

	"github.com/musterhq/muster/integration/fleet"
	"github.com/musterhq/muster/integration/lab"
)

// Alone boots hosts for one test, with the example images and without agents,
// and takes them away after it. It skips the test where the lab cannot run.
func Alone(t *testing.T, name string, hosts int) *Cluster {
	t.Helper()
	needLab(t)
	binary := filepath.Join(t.TempDir(), "muster")
	if err := fleet.Build(t.Context(), binary); err != nil {
		t.Fatal(err)
	}
	l, err := lab.New(t.Context(), lab.Options{Name: name, Binary: binary})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	booted, err := l.StartHosts(t.Context(), hosts)
	if err != nil {
		t.Fatal(err)
	}
	c := &Cluster{Fleet: fleet.Of(l, booted), T: t}
	c.Must(l.LoadHello(t.Context(), booted...))
	c.tellOfFailure()
	return c
}
