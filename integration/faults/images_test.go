//go:build linux

package faults

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/musterhq/muster/integration/fleet"
	"github.com/musterhq/muster/integration/fleet/fleettest"
	"github.com/musterhq/muster/integration/lab"
)

// fromRegistry is a Compose file of one task a host of an image of the registry.
func fromRegistry(replicas int, image string) string {
	return fmt.Sprintf(`name: app
services:
  web:
    image: %s/%s
    ports: ["%d:80"]
    stop_grace_period: 1s
    deploy:
      replicas: %d
      placement: {max_replicas_per_node: 1}
`, lab.RegistryAddr, image, fleettest.Port, replicas)
}

// registry starts one with an image in it that no host has. It is the example
// program with megabytes of its own, so that no layer of it is anywhere.
func registry(c *fleettest.Cluster, login bool, name string) (*lab.Registry, string) {
	c.T.Helper()
	ctx := c.T.Context()
	r, err := c.Lab.StartRegistry(ctx, login)
	c.Must(err)
	c.T.Cleanup(func() { _ = r.Close() })
	hello, err := os.ReadFile(filepath.Join(c.Lab.Dir, "hello"))
	c.Must(err)
	padding := make([]byte, 2<<20)
	_, _ = rand.Read(padding) // never fails
	binary := filepath.Join(c.T.TempDir(), "program")
	c.Must(os.WriteFile(binary, append(hello, padding...), 0o755))
	maker := c.Hosts[0]
	c.Must(maker.ImportImage(ctx, "made-here:1", binary, "/program"))
	digest, err := maker.PushImage(ctx, "made-here:1", name)
	c.Must(err)
	for _, ref := range []string{lab.RegistryAddr + "/" + name, digest, "made-here:1"} {
		c.Must(maker.RemoveImage(ctx, ref))
	}
	return r, digest
}

// imageOn waits until a host has the image of a repository digest, pulled or
// from a peer.
func imageOn(c *fleettest.Cluster, h *lab.Host, digest string) {
	c.T.Helper()
	_, hash, _ := strings.Cut(digest, "@")
	peer := "muster/peer:" + strings.ReplaceAll(hash, ":", "-")
	c.Within(time.Minute, "the image on "+h.Name, func(ctx context.Context) error {
		for _, ref := range []string{digest, peer} {
			if ok, err := h.HasImage(ctx, ref); ok || err != nil {
				return err
			}
		}
		return fmt.Errorf("%s has no %s", h.Name, digest)
	})
}

// TestRegistryIsDownAtFailover pulls an image through a real registry, and loses
// that and a host together: the host that takes the task over has the image
// from another.
func TestRegistryIsDownAtFailover(t *testing.T) {
	c := cluster(t)
	r, digest := registry(c, false, "down:1")
	c.Run(c.Hosts[1], "deploy", "-d", "-f", c.File("compose.yaml", fromRegistry(2, "down:1")))
	c.Settled(2, c.Hosts...)
	with := c.Containers(c.Hosts...)
	spare := c.Others(with[0].Host, with[1].Host)[0]
	r.Shut()
	c.Must(spare.RemoveImage(t.Context(), digest))
	victim := with[0].Host
	c.Must(victim.Kill())
	c.Settled(2, c.Others(victim)...)
	imageOn(c, spare, digest)
}

// TestSlowRegistryIsOvertaken has a registry that would need minutes; the nodes
// take the image from the one that has it.
func TestSlowRegistryIsOvertaken(t *testing.T) {
	c := cluster(t)
	r, digest := registry(c, false, "slow:1")
	c.Run(c.Hosts[0], "deploy", "-d", "-f", c.File("compose.yaml", fromRegistry(1, "slow:1")))
	c.Settled(1, c.Hosts...)
	r.Throttle(4 << 10)
	began := time.Now()
	c.Run(c.Hosts[0], "scale", fleettest.Web+"=3")
	c.Within(2*time.Minute, "three tasks", func(ctx context.Context) error {
		running, err := fleet.Containers(ctx, fleettest.Web, c.Hosts...)
		if err == nil && len(running) != 3 {
			err = fmt.Errorf("%d run", len(running))
		}
		return err
	})
	t.Logf("three hosts have the image after %.1f s; the registry alone would need minutes", time.Since(began).Seconds())
	for _, h := range c.Hosts {
		imageOn(c, h, digest)
	}
}

// TestRegistryWithALoginThatNodesLack deploys an image that only one host may
// pull. The others are refused by the registry and take it from that host.
func TestRegistryWithALoginThatNodesLack(t *testing.T) {
	c := cluster(t)
	_, digest := registry(c, true, "private:1")
	c.Must(c.Hosts[0].PullImage(t.Context(), "private:1"))
	c.Run(c.Hosts[0], "deploy", "-d", "-f", c.File("compose.yaml", fromRegistry(3, "private:1")))
	c.Settled(3, c.Hosts...)
	for _, h := range c.Hosts {
		imageOn(c, h, digest)
	}
}
