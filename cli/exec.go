package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/api/client"
)

func (c *CLI) newExec() *cobra.Command {
	var o client.ExecOptions
	cmd := &cobra.Command{
		Use:               "exec SERVICE|TASK COMMAND [ARG...]",
		Short:             "Run a command in a task's container",
		Long:              "Runs a command in the container of a task (SERVICE.SLOT, or an ID or its beginning) or of\na service's first running task, and exits with the command's code.",
		Example:           "  muster exec -it shop/web.2 sh",
		Args:              atLeast("SERVICE|TASK", "COMMAND"),
		ValidArgsFunction: c.completeFirst(serviceNames, taskNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.TTY && (!o.Stdin || !isTerminal(c.Stdin) || !isTerminal(c.Stdout)) {
				return usagef("-t needs a terminal and goes with -i; leave it out")
			}
			cl, err := c.connect()
			if err != nil {
				return err
			}
			task, err := oneTask(cmd.Context(), cl, args[0])
			if err != nil {
				return err
			}
			o.Command = args[1:]
			return c.exec(cmd.Context(), cl, task, o)
		},
	}
	f := cmd.Flags()
	f.SetInterspersed(false)
	f.BoolVarP(&o.Stdin, "interactive", "i", false, "pass standard input on")
	f.BoolVarP(&o.TTY, "tty", "t", false, "give the command a terminal")
	f.StringVarP(&o.User, "user", "u", "", "run as `user`, name or ID, with :group or without")
	f.StringVarP(&o.WorkDir, "workdir", "w", "", "run in `directory`")
	f.StringArrayVarP(&o.Env, "env", "e", nil, "set a variable, `NAME=VALUE`; repeatable")
	return cmd
}

func (c *CLI) exec(ctx context.Context, cl *client.Client, task api.Task, o client.ExecOptions) error {
	session, err := cl.Exec(ctx, task.ID, o)
	if err != nil {
		return fmt.Errorf("run %q in %s on %s: %w", o.Command[0], slotName(task), orNone(task.Node), err)
	}
	defer func() { _ = session.Close() }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if o.TTY {
		restore, err := c.takeTerminal(ctx, session)
		if err != nil {
			return err
		}
		defer restore()
	}
	// A read of standard input cannot be ended: the goroutine is left to the
	// end of the process.
	if o.Stdin {
		go c.sendInput(ctx, session)
	}
	return c.receive(ctx, session)
}

func (c *CLI) sendInput(ctx context.Context, session *client.Exec) {
	buf := make([]byte, 32<<10)
	for {
		n, err := c.Stdin.Read(buf)
		if n > 0 && session.Stdin(ctx, buf[:n]) != nil {
			return
		}
		if err != nil {
			_ = session.CloseStdin(ctx)
			return
		}
	}
}

// receive prints what comes back until the command has ended, and returns its
// exit code.
func (c *CLI) receive(ctx context.Context, session *client.Exec) error {
	for {
		kind, data, err := session.Read(ctx)
		if err != nil {
			return err
		}
		switch kind {
		case api.ExecStdout:
			_, err = c.Stdout.Write(data)
		case api.ExecStderr:
			_, err = c.Stderr.Write(data)
		case api.ExecExit:
			return exitCode(data)
		case api.ExecError:
			return execError(data)
		}
		if err != nil {
			return fmt.Errorf("print the command's output: %w", err)
		}
	}
}

func exitCode(data []byte) error {
	var code int
	switch err := json.Unmarshal(data, &code); {
	case err != nil:
		return fmt.Errorf("read the command's exit code: %w", err)
	case code == 0:
		return nil
	}
	return &exitStatus{code: code}
}

func execError(data []byte) error {
	var e api.Error
	if err := json.Unmarshal(data, &e); err != nil || e.Message == "" {
		return errors.New("the command ended without a reason given")
	}
	return &e
}
