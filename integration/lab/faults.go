//go:build linux

package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// Cut takes the host's link down: it hears nobody and nobody hears it, while
// everything on it runs on.
func (h *Host) Cut() error { return h.setLink(false) }

// Heal ends Cut and every Drop at this host.
func (h *Host) Heal(ctx context.Context) error {
	if err := h.setLink(true); err != nil {
		return err
	}
	h.mu.Lock()
	dropped := h.dropped
	h.dropped = false
	h.mu.Unlock()
	if !dropped {
		return nil
	}
	return h.iptables(ctx, "-F", dropChain)
}

// Drop is loss in one direction: packets from the other host no longer arrive
// at h, those of h still arrive there.
func (h *Host) Drop(ctx context.Context, from *Host) error { return h.drop(ctx, from.Addr) }

// DropPort is Drop for one port of h: "udp", 7071.
func (h *Host) DropPort(ctx context.Context, from *Host, protocol string, port int) error {
	return h.drop(ctx, from.Addr, "-p", protocol, "--dport", strconv.Itoa(port))
}

// DropOutside is the same for packets from outside.
func (h *Host) DropOutside(ctx context.Context) error { return h.drop(ctx, OutsideAddr) }

// drop works in the raw table, ahead of connection tracking and of the rewriting
// of published ports.
func (h *Host) drop(ctx context.Context, addr string, match ...string) error {
	h.mu.Lock()
	h.dropped = true
	h.mu.Unlock()
	return h.iptables(ctx, slices.Concat([]string{"-A", dropChain, "-s", addr}, match, []string{"-j", "DROP"})...)
}

func (h *Host) iptables(ctx context.Context, args ...string) error {
	r := h.Exec(ctx, append([]string{"iptables", "-w", "-t", "raw"}, args...)...)
	if r.ExitCode != 0 {
		return fmt.Errorf("iptables on %s: %s", h.Name, r.Stderr)
	}
	return nil
}

func (h *Host) setLink(up bool) error {
	if !h.Up() {
		return fmt.Errorf("set the link of %s: it is down", h.Name)
	}
	h.lab.logf("%s: link up: %v", h.Name, up)
	return setLink(h.link(), up)
}

// Busy burns that many cores on the host until stop is called or ctx ends.
func (h *Host) Busy(ctx context.Context, cores int) (stop func(), err error) {
	return h.load(ctx, slices.Repeat([]string{"while :; do :; done"}, cores)...)
}

// Hog has a process on the host hold that many bytes of memory until stop is
// called or ctx ends: tail(1) keeps what it reads as long as no line ends.
func (h *Host) Hog(ctx context.Context, bytes int64) (stop func(), err error) {
	return h.load(ctx, fmt.Sprintf("{ head -c %d /dev/zero; exec sleep infinity; } | exec tail", bytes))
}

// load runs shell scripts on the host, each with what it starts, until stop is
// called or ctx ends.
func (h *Host) load(ctx context.Context, scripts ...string) (stop func(), err error) {
	var started []*process
	kill := sync.OnceFunc(func() {
		for _, p := range started {
			if p.alive() {
				_ = unix.Kill(-p.pid(), unix.SIGKILL) // it leads a session of its own
			}
			_ = p.end(context.Background(), unix.SIGKILL)
		}
	})
	for _, script := range scripts {
		cmd, err := command(nil, "sh", "-c", script)
		if err != nil {
			return nil, err
		}
		p, err := h.spawn(cmd, wholeHost)
		if err != nil {
			kill()
			return nil, err
		}
		started = append(started, p)
	}
	release := context.AfterFunc(ctx, kill)
	return func() {
		release()
		kill()
	}, nil
}

// FillDisk leaves no byte free where the agent keeps its data. The lab must have
// been made with SmallDisk.
func (h *Host) FillDisk() error {
	if h.lab.opts.SmallDisk == 0 {
		return errors.New("fill the disk: the lab was made without SmallDisk")
	}
	f, err := os.OpenFile(h.filler(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("fill the disk of %s: %w", h.Name, err)
	}
	defer f.Close()
	chunk := make([]byte, 1<<16)
	for {
		_, err := f.Write(chunk)
		if errors.Is(err, unix.ENOSPC) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("fill the disk of %s: %w", h.Name, err)
		}
	}
}

// FreeDisk ends FillDisk.
func (h *Host) FreeDisk() error {
	if err := os.Remove(h.filler()); err != nil {
		return fmt.Errorf("free the disk of %s: %w", h.Name, err)
	}
	return nil
}

// Mend ends every fault of a host that is up, but for its link (see Heal): the
// engine runs, engine and agent go on where they hang, the disk has room.
func (h *Host) Mend(ctx context.Context) error {
	if err := h.ThawDisk(); err != nil {
		return err
	}
	if p := h.running(&h.agent); p != nil {
		if err := p.signal(unix.SIGCONT); err != nil {
			return fmt.Errorf("mend %s: %w", h.Name, err)
		}
	}
	if err := h.FreeDisk(); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if h.running(&h.docker) == nil {
		return h.StartDocker(ctx)
	}
	return h.ContinueDocker()
}

func (h *Host) filler() string { return filepath.Join(h.DataDir, ".filler") }
