//go:build linux

package faults

import (
	"fmt"
	"os"
	"testing"

	"github.com/musterhq/muster/integration/fleet/fleettest"
	"github.com/musterhq/muster/integration/lab"
)

// smallDisk is the size of every agent's data directory: a file system of its
// own that a test can fill.
const smallDisk = 96 << 20

var ring = fleettest.Ring{Hosts: 3, Options: lab.Options{
	Name: "faults", SmallDisk: smallDisk, DockerArgs: []string{"--insecure-registry", lab.RegistryAddr},
}}

func TestMain(m *testing.M) {
	code := m.Run()
	if err := ring.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func cluster(t *testing.T) *fleettest.Cluster {
	t.Helper()
	return ring.Cluster(t)
}
