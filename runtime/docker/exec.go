package docker

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
	"github.com/docker/docker/pkg/stdcopy"

	"github.com/musterhq/muster/runtime"
)

// Exec runs a command in a container until its output ends, and returns its
// exit code. When ctx ends first, the connection is closed; the engine has no
// call that would end the command itself.
func (d *Driver) Exec(ctx context.Context, id string, e runtime.Exec) (int, error) {
	execID, err := d.createExec(ctx, id, e)
	if err != nil {
		return 0, err
	}
	var conn types.HijackedResponse
	stop, err := d.begin(ctx, "attach to the command in container "+id, func(ctx context.Context, cl *client.Client) (err error) {
		conn, err = cl.ContainerExecAttach(ctx, execID, container.ExecAttachOptions{Tty: e.TTY})
		return err
	})
	if err != nil {
		return 0, err
	}
	defer stop()
	if err := d.converse(ctx, execID, e, conn); err != nil {
		return 0, err
	}
	return d.exitCode(ctx, execID)
}

func (d *Driver) createExec(ctx context.Context, id string, e runtime.Exec) (execID string, err error) {
	err = d.call(ctx, classWrite, "prepare a command in container "+id, func(ctx context.Context, cl *client.Client) error {
		created, err := cl.ContainerExecCreate(ctx, id, container.ExecOptions{
			User: e.User, Tty: e.TTY, AttachStdin: e.Stdin != nil, AttachStdout: true, AttachStderr: true,
			Env: e.Env, WorkingDir: e.WorkingDir, Cmd: e.Cmd,
		})
		execID = created.ID
		return err
	})
	return execID, err
}

// converse copies between the caller's streams and the connection until the
// output ends or ctx does. The copy of the input is not waited for: it may be
// blocked in the caller's reader, which only the caller can unblock.
func (d *Driver) converse(ctx context.Context, execID string, e runtime.Exec, conn types.HijackedResponse) error {
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	hangUp := context.AfterFunc(inner, conn.Close)
	defer func() {
		if hangUp() {
			conn.Close()
		}
	}()
	if e.Stdin != nil {
		go func() {
			_, _ = io.Copy(conn.Conn, e.Stdin) // the command may end without reading it all
			_ = conn.CloseWrite()
		}()
	}
	var resizing sync.WaitGroup
	if e.TTY && e.Resize != nil {
		resizing.Go(func() { d.followSize(inner, execID, e.Resize) })
	}
	err := copyOutput(e, conn.Reader)
	cancel()
	resizing.Wait()
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("run the command: %w", ctx.Err())
	case err != nil:
		return fmt.Errorf("read the command's output: %w", err)
	}
	return nil
}

func copyOutput(e runtime.Exec, r io.Reader) error {
	stdout, stderr := orDiscard(e.Stdout), orDiscard(e.Stderr)
	if e.TTY {
		_, err := io.Copy(stdout, r)
		return err
	}
	_, err := stdcopy.StdCopy(stdout, stderr, r)
	return err
}

func orDiscard(w io.Writer) io.Writer {
	if w == nil {
		return io.Discard
	}
	return w
}

// followSize passes the terminal's size on until ctx ends. A size that the
// engine refuses is of no consequence: the next one comes.
func (d *Driver) followSize(ctx context.Context, execID string, sizes <-chan runtime.Size) {
	for {
		select {
		case s, ok := <-sizes:
			if !ok {
				return
			}
			_ = d.call(ctx, classRead, "resize the terminal", func(ctx context.Context, cl *client.Client) error {
				return cl.ContainerExecResize(ctx, execID, container.ResizeOptions{Height: uint(s.Rows), Width: uint(s.Cols)})
			})
		case <-ctx.Done():
			return
		}
	}
}

// exitCode asks for the exit code; the engine may need a moment after the
// output's end to know that the command has ended.
func (d *Driver) exitCode(ctx context.Context, execID string) (int, error) {
	const tries, pause = 50, 20 * time.Millisecond
	for range tries {
		var state container.ExecInspect
		err := d.call(ctx, classRead, "ask for the command's exit code", func(ctx context.Context, cl *client.Client) (err error) {
			state, err = cl.ContainerExecInspect(ctx, execID)
			return err
		})
		if err != nil {
			return 0, err
		}
		if !state.Running {
			return state.ExitCode, nil
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return 0, fmt.Errorf("ask for the command's exit code: %w", ctx.Err())
		}
	}
	return 0, fmt.Errorf("ask for the command's exit code: its output ended but it still runs")
}
