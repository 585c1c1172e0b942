package probe

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/musterhq/muster/runtime"
)

// execCheck passes where a command in the container ends with code 0. An engine
// has no call that ends a command: as long as one runs on, no other is begun, and
// the checks fail.
type execCheck struct {
	engine    Engine
	container string
	command   []string

	cancel context.CancelFunc
	result chan error // of the command that runs; nil: none does
}

func (c *execCheck) name() string { return "command " + short(strings.Join(c.command, " ")) }

func (c *execCheck) do(ctx context.Context) error {
	if c.result == nil {
		c.begin(ctx)
	}
	select {
	case err := <-c.result:
		c.Close()
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// begin starts the command in a context that outlives one check.
func (c *execCheck) begin(ctx context.Context) {
	ctx, c.cancel = context.WithCancel(context.WithoutCancel(ctx))
	c.result = make(chan error, 1)
	result := c.result
	go func() {
		var out tail
		code, err := c.engine.Exec(ctx, c.container, runtime.Exec{Cmd: c.command, Stdout: &out, Stderr: &out})
		switch {
		case err != nil:
			result <- err
		case code != 0:
			result <- errors.New(strings.TrimSpace(fmt.Sprintf("exit code %d %s", code, short(string(out)))))
		default:
			result <- nil
		}
		close(result)
	}()
}

// Close lets go of the command that runs, if one does, and waits until nobody
// listens to it any more.
func (c *execCheck) Close() error {
	if c.result != nil {
		c.cancel()
		for range c.result { // until it is closed
			continue
		}
		c.result = nil
	}
	return nil
}

// tail keeps the end of what is written to it.
type tail []byte

func (t *tail) Write(b []byte) (int, error) {
	const most = 256
	*t = append(*t, b[max(0, len(b)-most):]...)
	*t = (*t)[max(0, len(*t)-most):]
	return len(b), nil
}
