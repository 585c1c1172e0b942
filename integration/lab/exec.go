//go:build linux

package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"

	"golang.org/x/sys/unix"
)

// Result is how a command ended. ExitCode is -1 if it could not be started or
// was ended by a signal; Stderr then says why.
type Result struct {
	Stdout, Stderr string
	ExitCode       int
}

// Exec runs a command inside the host, in all of its namespaces. It is killed
// when ctx ends.
func (h *Host) Exec(ctx context.Context, argv ...string) Result {
	return h.exec(ctx, wholeHost, nil, argv...)
}

// CLI runs the muster binary against this host's agent, in the host's network
// and with the machine's files. It is killed when ctx ends.
func (h *Host) CLI(ctx context.Context, args ...string) Result {
	if h.lab.opts.Binary == "" {
		return failed(errors.New("the lab was made without a muster binary"))
	}
	// Nobody is there to be asked.
	env := []string{"MUSTER_HOST=unix://" + h.Socket, "HOME=" + h.Dir, "NO_COLOR=1", "MUSTER_YES=1"}
	return h.exec(ctx, networkOnly, env, append([]string{h.lab.opts.Binary}, args...)...)
}

func (h *Host) exec(ctx context.Context, depth namespaces, env []string, argv ...string) Result {
	cmd, err := command(env, argv...)
	if err != nil {
		return failed(err)
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	p, err := h.spawn(cmd, depth)
	if err != nil {
		return failed(err)
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		_ = p.signal(unix.SIGKILL)
		<-p.done
	}
	r := Result{Stdout: stdout.String(), Stderr: stderr.String()}
	var exit *exec.ExitError
	switch {
	case p.err == nil:
	case errors.As(p.err, &exit):
		r.ExitCode = exit.ExitCode()
		if r.ExitCode < 0 {
			r.Stderr += fmt.Sprintf("%s: %v\n", argv[0], p.err)
		}
	default:
		r.ExitCode = -1
		r.Stderr += p.err.Error() + "\n"
	}
	return r
}

func failed(err error) Result { return Result{Stderr: err.Error() + "\n", ExitCode: -1} }
