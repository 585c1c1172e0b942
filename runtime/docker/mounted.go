package docker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
)

// The engine follows the source of a bind at every start, long after its create
// was judged: what was a directory then can be a link to Muster's own by now. So
// the sources are judged again before each start, and what became of them after
// it. What happens between the two is seen, and the container removed, but it may
// have run for some milliseconds: the engine mounts by name, and offers no other
// way.

// checkStart judges the sources of a container that is to be started.
func (p policy) checkStart(c container.InspectResponse) error {
	for _, m := range c.Mounts {
		if m.Type != mount.TypeBind {
			continue
		}
		if err := p.checkSource(filepath.Clean(m.Source)); err != nil {
			return err
		}
	}
	return nil
}

// checkStarted removes a container that was started if something of Muster's own
// was mounted into it.
func (d *Driver) checkStarted(ctx context.Context, id string) error {
	c, err := d.inspect(ctx, id)
	if err != nil {
		return err
	}
	into, err := mountsOf(c)
	if err != nil {
		err = d.policy.checkStart(c)
	} else if own, ownErr := readMounts("self"); ownErr == nil {
		err = d.policy.checkMounted(own, into)
	}
	if err == nil {
		return nil
	}
	return errors.Join(fmt.Errorf("start container %s: %w", id, err), d.Remove(ctx, id))
}

// mounted is something that is mounted (proc_pid_mountinfo(5)).
type mounted struct {
	device string // of the file system
	root   string // what of it
	point  string // where
}

// mountsOf is what a running container has, if this process sees those of its
// engine; nothing of one that has ended.
func mountsOf(c container.InspectResponse) ([]mounted, error) {
	if c.State == nil || c.State.Pid == 0 {
		return nil, nil
	}
	pid := fmt.Sprint(c.State.Pid)
	groups, err := os.ReadFile(filepath.Join("/proc", pid, "cgroup"))
	if err != nil {
		return nil, err
	}
	if !strings.Contains(string(groups), c.ID) {
		return nil, fmt.Errorf("process %s is not of container %s", pid, c.ID)
	}
	return readMounts(pid)
}

func readMounts(process string) ([]mounted, error) {
	text, err := os.ReadFile(filepath.Join("/proc", process, "mountinfo"))
	return parseMounts(string(text)), err
}

// unescaped are the characters that mountinfo writes in octal.
var unescaped = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)

func parseMounts(text string) (out []mounted) {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 5 {
			continue
		}
		out = append(out, mounted{device: f[2], root: unescaped.Replace(f[3]), point: unescaped.Replace(f[4])})
	}
	return out
}

// checkMounted compares what is mounted into a container with what is protected
// here, by what it is, whatever it is called. own are this process's mounts.
func (p policy) checkMounted(own, into []mounted) error {
	for _, protected := range p.protected {
		path, err := p.resolve(filepath.Clean(protected))
		if err != nil {
			return refuse("protected path %q cannot be followed: %v", protected, err)
		}
		at, ok := placeOf(own, path)
		if !ok {
			continue
		}
		for _, m := range into {
			if m.device == at.device && overlap(m.root, at.root) {
				return refuse("%q in the container reaches %q, which is Muster's own; mount another path", m.point, protected)
			}
		}
	}
	return nil
}

// placeOf is where a path lies in its file system.
func placeOf(own []mounted, path string) (at mounted, ok bool) {
	for _, m := range own {
		if within(path, m.point) && (!ok || len(m.point) >= len(at.point)) {
			at, ok = m, true
		}
	}
	if ok {
		at.root = filepath.Join(at.root, strings.TrimPrefix(path, strings.TrimSuffix(at.point, "/")))
	}
	return at, ok
}
