package cli

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"

	"github.com/musterhq/muster/api/client"
)

// takeTerminal gives the keyboard to the command, byte by byte, and keeps its
// terminal as large as this one; restore undoes both.
func (c *CLI) takeTerminal(ctx context.Context, session *client.Exec) (restore func(), err error) {
	in, out := c.Stdin.(*os.File), c.Stdout.(*os.File)
	state, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return nil, fmt.Errorf("set up the terminal: %w", err)
	}
	resized := make(chan os.Signal, 1)
	signal.Notify(resized, syscall.SIGWINCH)
	resize := func() {
		if columns, rows, err := term.GetSize(int(out.Fd())); err == nil {
			_ = session.Resize(ctx, rows, columns)
		}
	}
	resize()
	done := make(chan struct{})
	stop := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			case <-resized:
				resize()
			}
		}
	}()
	return func() {
		signal.Stop(resized)
		close(stop)
		<-done
		_ = term.Restore(int(in.Fd()), state)
	}, nil
}
