//go:build linux

package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/integration/fleet"
	"github.com/musterhq/muster/integration/lab"
)

// class is a kind of fault. Begin stages it on a healthy cluster and says what
// it did; mending all hosts ends it, besides what it gave to fault.after.
type class struct {
	name  string
	begin func(ctx context.Context, f *fault) (did string, err error)
}

// fault is a class being staged.
type fault struct {
	*Run
	rand  *rand.Rand
	after []func(ctx context.Context) error // before the hosts are mended
}

// classes are all that are staged, by what they hit: hosts, agents, engines,
// the network, the disk and the processor, containers, and the cluster's members.
var classes = slices.Concat(hostClasses, diskClasses, engineClasses, cutClasses, containerClasses, memberClasses)

// Classes are their names.
func Classes() []string {
	var names []string
	for _, c := range classes {
		names = append(names, c.name)
	}
	return names
}

var hostClasses = []class{
	{"power cut of a follower's host", onFollower(func(_ context.Context, h *lab.Host) error { return h.Kill() })},
	{"power cut of the leader's host", onLeader(func(_ context.Context, h *lab.Host) error { return h.Kill() })},
	{"all processes of a host die", onAny(func(_ context.Context, h *lab.Host) error { return h.KillProcesses() })},
	{"power cut of all hosts", onAll(func(_ context.Context, h *lab.Host) error { return h.Kill() })},
	{"a host moves to another address", onFollower(moves)},
	{"a follower's agent dies", onFollower(func(ctx context.Context, h *lab.Host) error { return h.KillAgent(ctx) })},
	{"the leader's agent dies", onLeader(func(ctx context.Context, h *lab.Host) error { return h.KillAgent(ctx) })},
	{"all agents die", onAll(func(ctx context.Context, h *lab.Host) error { return h.KillAgent(ctx) })},
	{"an agent is stopped in order", onAny(func(ctx context.Context, h *lab.Host) error { return h.StopAgent(ctx) })},
	{"all agents are stopped in order", onAll(func(ctx context.Context, h *lab.Host) error { return h.StopAgent(ctx) })},
	{"a follower's agent hangs", onFollower(func(_ context.Context, h *lab.Host) error { return h.PauseAgent() })},
	{"the leader's agent hangs", onLeader(func(_ context.Context, h *lab.Host) error { return h.PauseAgent() })},
	{"the leader's agent is slow", slowAgent},
	{"all cores of a host are busy", busy},
}

var diskClasses = []class{
	{"a full data disk", onAny(func(_ context.Context, h *lab.Host) error { return h.FillDisk() })},
	{"a full disk of the leader", onLeader(func(_ context.Context, h *lab.Host) error { return h.FillDisk() })},
	{"a follower's disk hangs", hungDisk(false)},
	{"the leader's disk hangs", hungDisk(true)},
	{"the leader's disk is slow", slowDisk},
}

var engineClasses = []class{
	{"an engine dies", onAny(func(ctx context.Context, h *lab.Host) error { return h.KillDocker(ctx) })},
	{"an engine is stopped in order", onAny(func(ctx context.Context, h *lab.Host) error { return h.StopDocker(ctx) })},
	{"an engine hangs", onAny(func(_ context.Context, h *lab.Host) error { return h.PauseDocker() })},
	{"the leader's engine is restarted", onLeader(func(ctx context.Context, h *lab.Host) error {
		if err := h.StopDocker(ctx); err != nil {
			return err
		}
		return h.StartDocker(ctx)
	})},
	{"an engine forgets its networks", onAny(func(ctx context.Context, h *lab.Host) error {
		return errors.Join(h.KillDocker(ctx), forgetNetworks(h))
	})},
	{"an engine's rules are flushed", onAny(func(ctx context.Context, h *lab.Host) error {
		if r := h.Exec(ctx, "iptables", "-w", "-t", "nat", "-F"); r.ExitCode != 0 {
			return fmt.Errorf("flush the rules of %s: %s", h.Name, r.Stderr)
		}
		return nil
	})},
}

// forgetNetworks removes the file in which an engine that does not run keeps its
// networks.
func forgetNetworks(h *lab.Host) error {
	err := os.Remove(filepath.Join(h.Dir, "docker", "network", "files", "local-kv.db"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove the networks of %s: %w", h.Name, err)
	}
	return nil
}

// onAll, onLeader, onFollower and onAny do the same to hosts of a kind.
func onAll(do func(context.Context, *lab.Host) error) func(context.Context, *fault) (string, error) {
	return func(ctx context.Context, f *fault) (string, error) {
		return "all hosts", each(ctx, f.Fleet.Hosts, do)
	}
}

func onLeader(do func(context.Context, *lab.Host) error) func(context.Context, *fault) (string, error) {
	return func(ctx context.Context, f *fault) (string, error) {
		h, err := f.Fleet.Leader(ctx)
		if err != nil {
			return "", err
		}
		return h.Name, do(ctx, h)
	}
}

func onFollower(do func(context.Context, *lab.Host) error) func(context.Context, *fault) (string, error) {
	return func(ctx context.Context, f *fault) (string, error) {
		h, err := f.follower(ctx)
		if err != nil {
			return "", err
		}
		return h.Name, do(ctx, h)
	}
}

func onAny(do func(context.Context, *lab.Host) error) func(context.Context, *fault) (string, error) {
	return func(ctx context.Context, f *fault) (string, error) {
		h := pick(f.rand, f.Fleet.Hosts)
		return h.Name, do(ctx, h)
	}
}

// follower is a host that does not lead.
func (f *fault) follower(ctx context.Context) (*lab.Host, error) {
	leader, err := f.Fleet.Leader(ctx)
	if err != nil {
		return nil, err
	}
	return pick(f.rand, f.Fleet.Others(leader)), nil
}

func pick[T any](r *rand.Rand, of []T) T { return of[r.IntN(len(of))] }

// moves boots the host with another address. There are enough for an hour.
func moves(ctx context.Context, h *lab.Host) error {
	if err := h.Kill(); err != nil {
		return err
	}
	var last int
	if _, err := fmt.Sscanf(h.Addr, "10.213.0.%d", &last); err != nil {
		return err
	}
	if last < 211 {
		last = 210
	}
	return h.Readdress(last + 1)
}

// slowAgent lets the leader's agent run a fifth of the time: what a disk or a
// hypervisor that stalls does to it.
func slowAgent(ctx context.Context, f *fault) (string, error) {
	h, err := f.Fleet.Leader(ctx)
	if err != nil {
		return "", err
	}
	f.repeat(ctx, 250*time.Millisecond, func(_ context.Context, on bool) error {
		if on {
			return h.PauseAgent()
		}
		return h.ContinueAgent()
	})
	return h.Name, nil
}

func hungDisk(leader bool) func(context.Context, *fault) (string, error) {
	return func(ctx context.Context, f *fault) (string, error) {
		h, err := f.one(ctx, leader)
		if err != nil {
			return "", err
		}
		// What waits for the disk could not be ended before.
		f.after = append(f.after, func(context.Context) error { return h.ThawDisk() })
		return h.Name, h.HangDisk()
	}
}

// slowDisk lets the leader's disk take what is written once in a quarter of a
// second.
func slowDisk(ctx context.Context, f *fault) (string, error) {
	h, err := f.Fleet.Leader(ctx)
	if err != nil {
		return "", err
	}
	f.repeat(ctx, 250*time.Millisecond, func(_ context.Context, on bool) error {
		if on {
			return h.HangDisk()
		}
		return h.ThawDisk()
	})
	return h.Name, nil
}

func busy(ctx context.Context, f *fault) (string, error) {
	h := pick(f.rand, f.Fleet.Hosts)
	stop, err := h.Busy(ctx, 2)
	if err != nil {
		return "", err
	}
	f.after = append(f.after, func(context.Context) error { stop(); return nil })
	return h.Name, nil
}

// repeat does something on and off until the fault ends, on for the time and off
// for a quarter of it.
func (f *fault) repeat(ctx context.Context, every time.Duration, do func(ctx context.Context, on bool) error) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() {
		for on := true; ; on = !on {
			if err := do(ctx, on); err != nil && ctx.Err() == nil {
				done <- err
				return
			}
			wait := every
			if !on {
				wait = every / 4
			}
			if !sleep(ctx, wait) {
				done <- nil
				return
			}
		}
	}()
	f.after = append(f.after, func(context.Context) error { cancel(); return <-done })
}

var memberClasses = []class{
	{"a node is drained", available(cluster.Drained, false)},
	{"the leader is drained", available(cluster.Drained, true)},
	{"a node is cordoned", available(cluster.Cordoned, false)},
	{"a node leaves and joins again", leaves},
}

func available(a cluster.Availability, leader bool) func(context.Context, *fault) (string, error) {
	return func(ctx context.Context, f *fault) (string, error) {
		h, err := f.Fleet.Leader(ctx)
		if err == nil && !leader {
			h, err = f.follower(ctx)
		}
		if err != nil {
			return "", err
		}
		return h.Name, f.setAvailability(ctx, h.Name, a)
	}
}

// leaves takes a node out by force, as someone in a hurry does; mending takes
// it in again.
func leaves(ctx context.Context, f *fault) (string, error) {
	h, err := f.follower(ctx)
	if err != nil {
		return "", err
	}
	_, err = fleet.Run(ctx, h, "leave", "-y")
	return h.Name, err
}

var containerClasses = []class{
	{"docker rm -f behind our back", onContainer(http.MethodDelete, "?force=1")},
	{"docker stop behind our back", onContainer(http.MethodPost, "/stop?t=1")},
	{"docker kill of a task", onContainer(http.MethodPost, "/kill")},
	{"docker pause of a task", pauseTask},
	{"a stray container with our labels", stray},
	{"an image is untagged on a node", untag},
}

// someone is a running container of the cluster. The users may have removed all
// and deploy again.
func (f *fault) someone(ctx context.Context) (c fleet.Container, err error) {
	err = fleet.Within(ctx, 15*time.Second, "a container", func(ctx context.Context) error {
		running, err := fleet.Containers(ctx, "", f.Fleet.Hosts...)
		switch {
		case err != nil:
			return err
		case len(running) == 0:
			return errNothing
		}
		c = pick(f.rand, running)
		return nil
	})
	return c, err
}

func onContainer(method, call string) func(context.Context, *fault) (string, error) {
	return func(ctx context.Context, f *fault) (string, error) {
		c, err := f.someone(ctx)
		if err != nil {
			return "", err
		}
		// The users may have removed it in the meantime: any answer is right.
		_, _, err = c.Host.DockerAPI(ctx, method, "/containers/"+c.ID+call, nil)
		return c.Name + " on " + c.Host.Name, err
	}
}

func pauseTask(ctx context.Context, f *fault) (string, error) {
	c, err := f.someone(ctx)
	if err != nil {
		return "", err
	}
	f.after = append(f.after, func(ctx context.Context) error {
		_, _, err := c.Host.DockerAPI(ctx, http.MethodPost, "/containers/"+c.ID+"/unpause", nil)
		return err
	})
	_, _, err = c.Host.DockerAPI(ctx, http.MethodPost, "/containers/"+c.ID+"/pause", nil)
	return c.Name + " on " + c.Host.Name, err
}

func stray(ctx context.Context, f *fault) (string, error) {
	c, err := f.someone(ctx)
	if err != nil {
		return "", err
	}
	h := pick(f.rand, f.Fleet.Hosts)
	labels := map[string]string{}
	for k, v := range c.Labels {
		labels[k] = v
	}
	labels["muster.task"], labels["muster.slot"] = "01ARZ3NDEKTSV4RRFFQ69G5FAV", "99"
	name := fmt.Sprintf("stray-%d", f.rand.Uint32())
	status, answer, err := h.DockerAPI(ctx, http.MethodPost, "/containers/create?name="+name, map[string]any{"Image": lab.Hello, "Labels": labels})
	if err == nil && status == http.StatusCreated {
		_, _, err = h.DockerAPI(ctx, http.MethodPost, "/containers/"+name+"/start", nil)
	} else if err == nil {
		err = fmt.Errorf("create a stray container on %s: %d %s", h.Name, status, answer)
	}
	return name + " on " + h.Name, err
}

// untag takes the images from a node, as far as its engine lets them go: what
// it needs later it gets from the others.
func untag(ctx context.Context, f *fault) (string, error) {
	h := pick(f.rand, f.Fleet.Hosts)
	f.after = append(f.after, func(ctx context.Context) error { return f.Fleet.Lab.LoadHello(ctx, h) })
	for _, image := range []string{lab.Hello, lab.Hello2} {
		if _, _, err := h.DockerAPI(ctx, http.MethodDelete, "/images/"+image+"?force=1", nil); err != nil {
			return "", err
		}
	}
	return h.Name, nil
}
