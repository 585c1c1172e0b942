//go:build linux

package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// StartDocker starts the host's engine and returns when it answers.
func (h *Host) StartDocker(ctx context.Context) error {
	h.mu.Lock()
	runs := h.docker.alive()
	h.mu.Unlock()
	if runs {
		return fmt.Errorf("start docker on %s: it runs", h.Name)
	}
	argv := append([]string{
		"dockerd",
		"--data-root", filepath.Join(h.Dir, "docker"),
		"--exec-root", "/run/docker", // the host's own /run: gone after a boot, as it must be
		"--pidfile", "/run/docker.pid",
		"--host", "unix://" + h.DockerSocket,
		"--bip", fmt.Sprintf("172.18.%d.1/24", h.number),
		"--exec-opt", "native.cgroupdriver=cgroupfs",
		"--cgroup-parent", "/" + cgroupTree + "/" + h.Name + "/docker",
	}, h.lab.opts.DockerArgs...)
	p, err := h.daemon("dockerd.log", nil, argv...)
	if err != nil {
		return err
	}
	h.mu.Lock()
	h.docker = p
	h.mu.Unlock()
	return h.await(ctx, p, "dockerd", func() bool { return h.dockerAnswers(ctx) })
}

// StopDocker ends the engine in order (SIGTERM), its containers with it, and
// waits for its end.
func (h *Host) StopDocker(ctx context.Context) error {
	return h.endDocker(ctx, unix.SIGTERM)
}

// KillDocker ends the engine by SIGKILL. Containers live on without it; the next
// engine ends them, unless the lab's DockerArgs have --live-restore.
func (h *Host) KillDocker(ctx context.Context) error {
	return h.endDocker(ctx, unix.SIGKILL)
}

func (h *Host) endDocker(ctx context.Context, s os.Signal) error {
	p := h.running(&h.docker)
	if p == nil {
		return fmt.Errorf("end docker on %s: it does not run", h.Name)
	}
	if err := p.end(ctx, s); err != nil {
		return fmt.Errorf("end docker on %s: %w", h.Name, err)
	}
	h.engine.CloseIdleConnections()
	return nil
}

// PauseDocker makes the engine hang (SIGSTOP): calls to it are accepted by the
// kernel and never answered. Containers run on.
func (h *Host) PauseDocker() error { return h.signal(&h.docker, "docker", unix.SIGSTOP) }

// ContinueDocker ends PauseDocker.
func (h *Host) ContinueDocker() error { return h.signal(&h.docker, "docker", unix.SIGCONT) }

func (h *Host) dockerAnswers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	status, _, err := h.DockerAPI(ctx, http.MethodGet, "/_ping", nil)
	return err == nil && status == http.StatusOK
}

// daemon starts a long-running program in the host, its output appended to a
// file on the host's disk.
func (h *Host) daemon(logName string, env []string, argv ...string) (*process, error) {
	cmd, err := command(env, argv...)
	if err != nil {
		return nil, err
	}
	log, err := os.OpenFile(filepath.Join(h.Dir, logName), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	return h.spawn(cmd, wholeHost)
}

// await waits until the daemon is ready, and fails as soon as it ends instead.
func (h *Host) await(ctx context.Context, p *process, name string, ready func() bool) error {
	bounded, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	err := poll(bounded, 10*time.Millisecond, func() (bool, error) {
		if !p.alive() {
			return false, fmt.Errorf("it ended (%v)", p.err)
		}
		return ready(), nil
	})
	if err != nil {
		return fmt.Errorf("wait for %s on %s: %w\n%s", name, h.Name, err, h.LogTail(name, 6<<10))
	}
	return nil
}

// LogTail returns the last bytes, at most max, of what a daemon of the host
// ("agent", "dockerd") has written.
func (h *Host) LogTail(daemon string, max int64) string {
	f, err := os.Open(filepath.Join(h.Dir, daemon+".log"))
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	if end, err := f.Seek(0, io.SeekEnd); err == nil {
		_, _ = f.Seek(end-min(max, end), io.SeekStart)
	}
	b, _ := io.ReadAll(f)
	return strings.ToValidUTF8(string(b), "")
}

// running returns the process in the field, or nil if it has ended.
func (h *Host) running(field **process) *process {
	h.mu.Lock()
	defer h.mu.Unlock()
	if p := *field; p.alive() {
		return p
	}
	return nil
}

func (h *Host) signal(field **process, name string, s os.Signal) error {
	p := h.running(field)
	if p == nil {
		return fmt.Errorf("send %v to the %s of %s: %w", s, name, h.Name, errors.New("it does not run"))
	}
	return p.signal(s)
}
