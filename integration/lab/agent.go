//go:build linux

package lab

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// AgentOptions are what one start of an agent adds to the lab's own.
type AgentOptions struct {
	Binary string   // instead of the lab's, which is still the one that has to be there
	Args   []string // appended to the command line
	Env    []string // NAME=value; the environment is otherwise PATH, LANG, HOME and HOST_PROC
}

// StartAgent starts the host's agent, logging to agent.log in Dir, and returns
// when its API socket accepts connections. HOST_PROC shows it this host's load
// alone.
func (h *Host) StartAgent(ctx context.Context, opts AgentOptions) error {
	if h.lab.opts.Binary == "" {
		return errors.New("start the agent: the lab was made without a muster binary")
	}
	if h.running(&h.agent) != nil {
		return fmt.Errorf("start the agent on %s: it runs", h.Name)
	}
	argv := append([]string{
		cmp.Or(opts.Binary, h.lab.opts.Binary), "agent",
		"--data-dir", h.DataDir,
		"--advertise", h.Addr,
		"--name", h.Name,
		"--docker-host", "unix://" + h.DockerSocket,
		"--socket", h.Socket,
	}, opts.Args...)
	env := append([]string{"HOST_PROC=" + h.procDir(), "HOME=" + h.Dir}, opts.Env...)
	p, err := h.daemon("agent.log", env, argv...)
	if err != nil {
		return err
	}
	h.mu.Lock()
	h.agent = p
	h.mu.Unlock()
	return h.await(ctx, p, "agent", func() bool {
		c, err := (&net.Dialer{}).DialContext(ctx, "unix", h.Socket)
		if err != nil {
			return false
		}
		return c.Close() == nil
	})
}

// StopAgent asks the agent to end (SIGTERM) and waits until it has.
func (h *Host) StopAgent(ctx context.Context) error {
	p := h.running(&h.agent)
	if p == nil {
		return fmt.Errorf("stop the agent on %s: it does not run", h.Name)
	}
	if err := p.end(ctx, unix.SIGTERM); err != nil {
		return fmt.Errorf("stop the agent on %s: %w", h.Name, err)
	}
	return nil
}

// KillAgent ends the agent by SIGKILL, and waits until it is gone; the host and
// its containers live on.
func (h *Host) KillAgent(ctx context.Context) error {
	p := h.running(&h.agent)
	if p == nil {
		return fmt.Errorf("kill the agent on %s: it does not run", h.Name)
	}
	if err := p.end(ctx, unix.SIGKILL); err != nil {
		return fmt.Errorf("kill the agent on %s: %w", h.Name, err)
	}
	return nil
}

// PauseAgent makes the agent hang (SIGSTOP).
func (h *Host) PauseAgent() error { return h.signal(&h.agent, "agent", unix.SIGSTOP) }

// ContinueAgent ends PauseAgent.
func (h *Host) ContinueAgent() error { return h.signal(&h.agent, "agent", unix.SIGCONT) }

// AgentPID is the agent's process number as the machine counts, 0 if none runs.
func (h *Host) AgentPID() int {
	if p := h.running(&h.agent); p != nil {
		return p.pid()
	}
	return 0
}

// DataPlanePIDs are the processes that carry the host's traffic, as the machine
// counts: one, or for a while one that goes and one that follows.
func (h *Host) DataPlanePIDs() []int {
	var pids []int
	all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range all {
		line, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		argv := strings.Split(string(line), "\x00")
		if len(argv) < 2 || argv[1] != "dataplane" || !slices.Contains(argv, h.Socket) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// AwaitAgentGone waits until no agent runs on the host.
func (h *Host) AwaitAgentGone(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	err := poll(ctx, 20*time.Millisecond, func() (bool, error) { return h.running(&h.agent) == nil, nil })
	if err != nil {
		return fmt.Errorf("wait for the end of the agent on %s: %w", h.Name, err)
	}
	return nil
}
