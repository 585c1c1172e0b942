//go:build linux

package failover

import (
	"fmt"
	"os"
	"testing"

	"github.com/musterhq/muster/integration/fleet/fleettest"
	"github.com/musterhq/muster/integration/lab"
)

// ring is the cluster that all tests share.
var ring = fleettest.Ring{Hosts: 3, Options: lab.Options{Name: "failover"}}

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
