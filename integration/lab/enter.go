//go:build linux

package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// process is a running program of a host, as its parent sees it.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
	err  error         // how; to be read after done
}

// pid is the process's number in the machine's own PID namespace.
func (p *process) pid() int { return p.cmd.Process.Pid }

func (p *process) alive() bool {
	if p == nil {
		return false
	}
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

func (p *process) signal(s os.Signal) error {
	if !p.alive() {
		return os.ErrProcessDone
	}
	return p.cmd.Process.Signal(s)
}

// end sends s and waits for the process to be gone.
func (p *process) end(ctx context.Context, s os.Signal) error {
	if err := p.signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("still there after %v: %w", s, context.Cause(ctx))
	}
}

// namespaces is how far a process goes into a host.
type namespaces int

const (
	networkOnly namespaces = iota // the machine's files and processes, the host's network
	wholeHost                     // network, hostname, processes and mounts
)

// command prepares a program for a host with a clean environment: nothing of the
// caller's gets in.
func command(env []string, argv ...string) (*exec.Cmd, error) {
	path, err := find(argv[0])
	if err != nil {
		return nil, err
	}
	return &exec.Cmd{
		Path:        path,
		Args:        argv,
		Env:         append([]string{"PATH=" + toolPath, "LANG=C.UTF-8"}, env...),
		SysProcAttr: &unix.SysProcAttr{Setsid: true},
		WaitDelay:   time.Second,
	}, nil
}

// spawn starts cmd in the host and collects it when it ends.
//
// It does what nsenter does, from a thread of its own, so that the program is a
// child of this process: its PID is known at once and nobody stands between it
// and a signal. (nsenter forks to enter a PID namespace, stops itself when its
// child is stopped, and then keeps the dead namespace from being torn down.)
func (h *Host) spawn(cmd *exec.Cmd, depth namespaces) (*process, error) {
	spaces, err := h.openNamespaces(depth)
	if err != nil {
		return nil, err
	}
	defer func() {
		for _, f := range spaces {
			f.Close()
		}
	}()
	return h.start(cmd, spaces)
}

// start starts cmd in the host's control groups and in the given namespaces.
func (h *Host) start(cmd *exec.Cmd, spaces []*os.File) (*process, error) {
	err := onOwnThread(func() error {
		release, err := h.lab.cgroups.join(h.Name, cmd)
		if err != nil {
			return err
		}
		defer release()
		// setns(2) into a mount namespace is refused to a thread that shares
		// its root and working directory with others.
		if err := unix.Unshare(unix.CLONE_FS); err != nil {
			return fmt.Errorf("unshare: %w", err)
		}
		for _, f := range spaces {
			if err := unix.Setns(int(f.Fd()), 0); err != nil {
				return fmt.Errorf("enter %s: %w", f.Name(), err)
			}
		}
		return cmd.Start()
	})
	if err != nil {
		return nil, fmt.Errorf("start %s on %s: %w", cmd.Args[0], h.Name, err)
	}
	p := &process{cmd: cmd, done: make(chan struct{})}
	h.lab.processes.Go(func() {
		p.err = cmd.Wait()
		close(p.done)
	})
	return p, nil
}

func (h *Host) openNamespaces(depth namespaces) (files []*os.File, err error) {
	h.mu.Lock()
	boot := h.init
	h.mu.Unlock()
	if !boot.alive() {
		return nil, fmt.Errorf("%s is down", h.Name)
	}
	paths := []string{netnsDir + "/" + h.netns()}
	if depth == wholeHost {
		for _, kind := range []string{"uts", "pid", "mnt"} {
			paths = append(paths, fmt.Sprintf("/proc/%d/ns/%s", boot.pid(), kind))
		}
	}
	return openAll(paths)
}

func openAll(paths []string) (files []*os.File, err error) {
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			for _, f := range files {
				f.Close()
			}
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

// onOwnThread runs f on a thread that ends with it, because f changes what the
// thread belongs to. Go never ends the main thread, so that one is passed over:
// it is held while another does the work.
func onOwnThread(f func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() != unix.Getpid() {
			result <- f()
			return
		}
		defer runtime.UnlockOSThread()
		result <- onOwnThread(f)
	}()
	return <-result
}

// startBound starts a program on the machine that does not outlive this process,
// and returns what waits for its end. The kernel sees to that when the thread
// that started it ends, so the thread is held: others end with onOwnThread.
func startBound(cmd *exec.Cmd) (wait func(), err error) {
	cmd.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	started, ended := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(ended)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
	}()
	return func() { <-ended }, <-started
}
