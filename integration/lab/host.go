//go:build linux

package lab

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Host is one Docker host of a lab. Its exported fields do not change, but for
// Addr by Readdress. Verbs of one host that exclude each other (Boot and Kill, StartAgent and StopAgent) are
// the caller's to order; Kill may come at any time.
type Host struct {
	Name         string // n1, n2, ...
	Addr         string // 10.213.0.11 for n1
	Dir          string // the host's disk
	DockerSocket string // path of the engine's API socket
	Socket       string // path of the agent's API socket
	DataDir      string // the agent's data directory

	lab    *Lab
	number int
	engine *http.Client

	booting sync.Mutex // held by Boot
	cutting sync.Mutex // held by powerOff

	mu      sync.Mutex
	init    *process // process 1; nil or ended when the host is down
	docker  *process
	agent   *process
	dropped bool   // some addresses are dropped
	meter   *meter // since the last boot
}

// newHost makes the host's disk; Boot gives it power.
func newHost(l *Lab, number int) (*Host, error) {
	name := fmt.Sprintf("n%d", number)
	dir := filepath.Join(l.Dir, name)
	h := &Host{
		Name: name, Addr: fmt.Sprintf("10.213.0.%d", 10+number), Dir: dir,
		DockerSocket: filepath.Join(dir, "docker.sock"),
		Socket:       filepath.Join(dir, "muster.sock"),
		DataDir:      filepath.Join(dir, "muster"),
		lab:          l, number: number,
	}
	h.engine = &http.Client{Transport: unixTransport(h.DockerSocket)}
	for _, d := range []string{h.DataDir, filepath.Join(dir, "etc-docker")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return nil, fmt.Errorf("make the disk of %s: %w", name, err)
		}
	}
	if err := h.makeProcDir(); err != nil {
		return nil, fmt.Errorf("make the disk of %s: %w", name, err)
	}
	switch {
	case l.opts.SmallDisk > 0 && l.opts.LoopDisk:
		if err := mountImage(filepath.Join(dir, diskImage), h.DataDir, l.opts.SmallDisk); err != nil {
			return nil, err
		}
	case l.opts.SmallDisk > 0:
		if err := mountTmpfs(h.DataDir, l.opts.SmallDisk); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// Boot gives the host power: a fresh kernel state (network namespace, process
// table, /run), the disk as it was, and a running engine. The agent is not
// started. It returns when the engine answers.
func (h *Host) Boot(ctx context.Context) error {
	h.booting.Lock()
	defer h.booting.Unlock()
	if h.lab.life.Err() != nil {
		return fmt.Errorf("boot %s: the lab is closed", h.Name)
	}
	if h.Up() {
		return fmt.Errorf("boot %s: it is up", h.Name)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(h.lab.life, cancel)()
	if err := h.powerOff(); err != nil { // what KillProcesses left
		return fmt.Errorf("boot %s: %w", h.Name, err)
	}
	if err := h.boot(ctx); err != nil {
		return errors.Join(fmt.Errorf("boot %s: %w", h.Name, err), h.powerOff())
	}
	return nil
}

func (h *Host) boot(ctx context.Context) error {
	// Sockets live in /run on a real host and do not outlast a boot.
	for _, path := range []string{h.DockerSocket, h.Socket} {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	if err := h.lab.cgroups.add(h.Name); err != nil {
		return err
	}
	if err := h.startMeter(time.Now()); err != nil {
		return err
	}
	if err := h.plugIn(ctx); err != nil {
		return err
	}
	if err := h.startInit(ctx); err != nil {
		return err
	}
	return h.StartDocker(ctx)
}

// setup is what happens between process 1 and the first service. The engine's
// run-time files, its key and the firewall's lock become the host's own. FORWARD
// drops by default, as Docker sets it where forwarding was off: a network
// namespace inherits forwarding and would be kinder than the world. The host
// announces its address (arp_notify), which may have been another one's.
const setup = `set -e
echo "$1" >/proc/sys/kernel/hostname
mount -t proc proc /proc
mount -t tmpfs -o mode=755 run /run
echo 1 >/proc/sys/net/ipv4/conf/eth0/arp_notify
ip link set eth0 address "$3"
mkdir -p /etc/docker
mount --bind "$2/etc-docker" /etc/docker
iptables -w -P FORWARD DROP
iptables -w -t raw -N ` + dropChain + `
iptables -w -t raw -A PREROUTING -i eth0 -j ` + dropChain

func (h *Host) startInit(ctx context.Context) error {
	reaper, err := findInit()
	if err != nil {
		return err
	}
	cmd, err := command(nil, reaper, "--", "sleep", "infinity")
	if err != nil {
		return err
	}
	cmd.SysProcAttr.Cloneflags = unix.CLONE_NEWPID
	cmd.SysProcAttr.Unshareflags = unix.CLONE_NEWNS | unix.CLONE_NEWUTS
	spaces, err := openAll([]string{netnsDir + "/" + h.netns()})
	if err != nil {
		return err
	}
	defer spaces[0].Close()
	boot, err := h.start(cmd, spaces)
	if err != nil {
		return err
	}
	h.mu.Lock()
	h.init, h.dropped = boot, false
	h.mu.Unlock()
	if r := h.Exec(ctx, "sh", "-c", setup, "setup", h.Name, h.Dir, h.hardware()); r.ExitCode != 0 {
		return fmt.Errorf("set the host up: %s", r.Stderr)
	}
	return nil
}

// Readdress makes the host's address from its next boot on 10.213.0.last. The
// host must be down; addresses up to .210 are other hosts'.
func (h *Host) Readdress(last int) error {
	if h.Up() {
		return fmt.Errorf("readdress %s: it is up", h.Name)
	}
	h.Addr = fmt.Sprintf("10.213.0.%d", last)
	h.lab.logf("%s: has the address %s from now on", h.Name, h.Addr)
	return nil
}

// Kill is the loss of power: the link goes down in the same instant, so that no
// FIN or RST gets out and the host is silent, and every process dies by SIGKILL.
// It returns when all is gone; the disk stays as it is, for Boot.
func (h *Host) Kill() error {
	if !h.Up() {
		return fmt.Errorf("kill %s: it is down", h.Name)
	}
	h.lab.logf("%s: power loss", h.Name)
	return h.powerOff()
}

// retire powers the host off when its lab is closed; a Boot under way has ended
// before.
func (h *Host) retire() error {
	h.booting.Lock()
	defer h.booting.Unlock()
	return h.powerOff()
}

// powerOff takes a host in any state down to its disk.
func (h *Host) powerOff() error {
	h.cutting.Lock()
	defer h.cutting.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if exists("/sys/class/net/" + h.link()) {
		if err := setLink(h.link(), false); err != nil {
			return fmt.Errorf("power off %s: %w", h.Name, err)
		}
	}
	h.mu.Lock()
	boot := h.init
	h.mu.Unlock()
	if boot != nil {
		if err := boot.end(ctx, unix.SIGKILL); err != nil {
			return fmt.Errorf("power off %s: %w", h.Name, err)
		}
	}
	h.engine.CloseIdleConnections()
	if err := h.unplug(ctx); err != nil {
		return fmt.Errorf("power off %s: %w", h.Name, err)
	}
	return nil
}

// KillProcesses is SIGKILL to everything that runs on the host: agent, engine and
// containers are gone, but the kernel goes on and refuses connections, until Boot.
func (h *Host) KillProcesses() error {
	h.cutting.Lock()
	defer h.cutting.Unlock()
	h.mu.Lock()
	boot := h.init
	h.mu.Unlock()
	if !boot.alive() {
		return fmt.Errorf("kill the processes of %s: it is down", h.Name)
	}
	h.lab.logf("%s: SIGKILL to everything", h.Name)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := boot.end(ctx, unix.SIGKILL); err != nil {
		return fmt.Errorf("kill the processes of %s: %w", h.Name, err)
	}
	h.engine.CloseIdleConnections()
	return nil
}

// Up tells whether the host has power.
func (h *Host) Up() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.init.alive()
}
