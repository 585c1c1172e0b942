package cli

import (
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/spf13/cobra"
)

// newDialStdio makes the verb that the other end of -H ssh:// runs.
func (c *CLI) newDialStdio() *cobra.Command {
	return &cobra.Command{
		Use:    "dial-stdio",
		Short:  "Connect standard input and output to the agent's socket",
		Hidden: true,
		Args:   noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := c.connect()
			if err != nil {
				return err
			}
			conn, err := cl.Dial(cmd.Context())
			if err != nil {
				return err
			}
			return c.pipe(conn)
		},
	}
}

// pipe copies both ways until the agent closes. The copy of standard input
// cannot be ended and is left to the end of the process.
func (c *CLI) pipe(conn net.Conn) error {
	defer func() { _ = conn.Close() }()
	go func() {
		_, _ = io.Copy(conn, c.Stdin)
		if half, ok := conn.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite()
		}
	}()
	if _, err := io.Copy(c.Stdout, conn); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("copy from the agent: %w", err)
	}
	return nil
}
