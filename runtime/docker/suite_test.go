package docker

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/musterhq/muster/runtime"
	"github.com/musterhq/muster/runtime/runtimetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// engine returns the address of an engine to test with, or skips the test.
func engine(t *testing.T) string {
	t.Helper()
	host := os.Getenv("MUSTER_TEST_DOCKER")
	asked := host != ""
	if !asked {
		host = "unix:///var/run/docker.sock"
	}
	d, err := New(Config{Host: host})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := d.Ping(t.Context()); err != nil {
		if asked {
			t.Fatalf("MUSTER_TEST_DOCKER=%s: %v", host, err)
		}
		t.Skipf("no Docker Engine at %s (set MUSTER_TEST_DOCKER to use another): %v", host, err)
	}
	return host
}

var (
	imageOnce sync.Once
	testImage string
	clusters  atomic.Int64
)

// live returns a driver of a real engine and what the suite needs of it.
func live(t *testing.T, c Config) (*Driver, runtimetest.Fixture) {
	t.Helper()
	c.Host = engine(t)
	d, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	imageOnce.Do(func() { testImage = runtimetest.BuildImage(t, d) })
	if testImage == "" {
		t.Skip("the test image could not be built; see the first failure")
	}
	id := fmt.Sprintf("suite-%x-%d", time.Now().UnixNano(), clusters.Add(1))
	return d, runtimetest.Fixture{Cluster: strings.ToLower(id), Image: testImage}
}

func TestSuite(t *testing.T) {
	engine(t)
	runtimetest.Run(t, func(t *testing.T) (runtime.Driver, runtimetest.Fixture) { return live(t, Config{}) })
}
