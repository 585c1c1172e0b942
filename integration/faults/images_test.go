//go:build linux

package faults

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/musterhq/muster/api"
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

// registry starts one with an image in it that no host has.
func registry(c *fleettest.Cluster, login bool, name string) (*lab.Registry, string) {
	c.T.Helper()
	r, err := c.Lab.StartRegistry(c.T.Context(), login)
	c.Must(err)
	c.T.Cleanup(func() { _ = r.Close() })
	return r, publish(c, name)
}

// publish puts an image into the registry that no host has, and returns its
// digest. It is the example program with megabytes of its own, so that no layer
// of it is anywhere.
func publish(c *fleettest.Cluster, name string) string {
	c.T.Helper()
	ctx := c.T.Context()
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
	return digest
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

// onHost is a Compose file of one task of an image of the registry on a host.
func onHost(stack, image string, h *lab.Host) string {
	return fmt.Sprintf(`name: %s
services:
  web:
    image: %s/%s
    stop_grace_period: 1s
    deploy:
      placement: {constraints: [node.name==%s]}
`, stack, lab.RegistryAddr, image, h.Name)
}

// states are the states of a stack's containers on h, ended ones too.
func states(ctx context.Context, h *lab.Host, stack string) (all []string, err error) {
	list, err := h.Containers(ctx, "muster.stack="+stack)
	for _, one := range list {
		all = append(all, one.State)
	}
	return all, err
}

// useOnce runs an image on h, ends its task and removes its service. What has
// ended stays as long as the service is there, and goes with it.
func useOnce(c *fleettest.Cluster, h *lab.Host, image string) {
	c.T.Helper()
	has := func(want ...string) func(context.Context) error {
		return func(ctx context.Context) error {
			got, err := states(ctx, h, "app")
			if err == nil && !slices.Equal(got, want) {
				err = fmt.Errorf("the containers on %s are %q", h.Name, got)
			}
			return err
		}
	}
	c.Run(c.Hosts[0], "deploy", "-d", "-f", c.File("compose.yaml", onHost("app", image, h)))
	c.Within(time.Minute, image+" to run", has("running"))
	c.Run(c.Hosts[0], "scale", fleettest.Web+"=0")
	c.Within(fleettest.Soon, "its task to end", func(context.Context) error {
		if tasks := c.Tasks(fleettest.Web); len(tasks) > 0 {
			return fmt.Errorf("tasks: %s", fleettest.States(tasks))
		}
		return nil
	})
	c.Must(has("exited")(c.T.Context()))
	c.Run(c.Hosts[0], "rm", "-y", "app")
	c.Within(fleettest.Soon, "nothing of it to be left", has())
}

// collects starts the agent of h anew, so that it takes its disk for full and
// keeps one image that nobody needs. The next test gets an ordinary agent.
func collects(c *fleettest.Cluster, h *lab.Host) {
	c.T.Helper()
	c.Must(h.StopAgent(c.T.Context()))
	ordinary := c.AgentArgs
	c.AgentArgs = slices.Concat(ordinary, []string{"--image-gc-high", "1", "--image-gc-low", "0", "--image-gc-keep", "1"})
	err := c.StartAgents(c.T.Context(), h)
	c.AgentArgs = ordinary
	c.Must(err)
	c.T.Cleanup(func() { _ = h.StopAgent(context.Background()) })
	c.Must(c.AwaitReady(c.T.Context(), c.Hosts...))
}

// awaitRemoved waits until events say that the images left h.
func awaitRemoved(c *fleettest.Cluster, h *lab.Host, digests ...string) {
	c.T.Helper()
	c.Within(3*time.Minute, "events of removed images", func(ctx context.Context) error {
		events, err := fleet.Events(ctx, c.Hosts[0], 0)
		if err != nil {
			return err
		}
		for _, d := range digests {
			if !slices.ContainsFunc(events, func(e api.Event) bool {
				return e.Type == "image" && e.Action == "removed" && e.Object == d && e.Node == h.Name
			}) {
				return fmt.Errorf("none says that %s was removed", d)
			}
		}
		return nil
	})
	areOn(c, h, false, digests...)
}

// areOn fails the test unless h has all of the images, or none.
func areOn(c *fleettest.Cluster, h *lab.Host, want bool, digests ...string) {
	c.T.Helper()
	for _, d := range digests {
		ok, err := h.HasImage(c.T.Context(), d)
		c.Must(err)
		if ok != want {
			c.T.Errorf("%s has %s: %v", h.Name, d, ok)
		}
	}
}

// TestImagesThatNobodyNeedsGo fills a host's disk, in the eyes of its agent: of
// the images of services that were removed the last used stays, until somebody
// asks for that to go too. The image of a service that runs stays.
func TestImagesThatNobodyNeedsGo(t *testing.T) {
	c := cluster(t)
	h := c.Hosts[1]
	_, needed := registry(c, false, "needed:1")
	first, second, third := publish(c, "first:1"), publish(c, "second:1"), publish(c, "third:1")
	collects(c, h)
	c.Run(c.Hosts[0], "deploy", "-d", "-f", c.File("needed.yaml", onHost("needed", "needed:1", h)))
	for _, image := range []string{"first:1", "second:1", "third:1"} {
		useOnce(c, h, image)
	}
	awaitRemoved(c, h, first, second)
	areOn(c, h, true, needed, third)

	name, _, _ := strings.Cut(third, "@")
	listed := c.Run(c.Hosts[0], "image", "prune", "--dry-run")
	if !strings.Contains(listed, h.Name+": 1 image would go") || !strings.Contains(listed, name) {
		t.Errorf("the images that would go:\n%s", listed)
	}
	areOn(c, h, true, needed, third)
	c.Run(c.Hosts[0], "image", "prune", "-y", "-n", h.Name)
	awaitRemoved(c, h, third)
	areOn(c, h, true, needed)
	if left, err := states(t.Context(), h, "needed"); err != nil || !slices.Equal(left, []string{"running"}) {
		t.Errorf("of the service that is there: %q, %v", left, err)
	}
}
