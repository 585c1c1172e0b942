package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"
)

// confirm asks before something that cannot be undone.
func (c *CLI) confirm(ctx context.Context, what string) error {
	if c.yes {
		return nil
	}
	if !c.interactive() {
		return fmt.Errorf("this would %s; add -y to do it without being asked", what)
	}
	fmt.Fprintf(c.Stderr, "This will %s. Go on? [y/N] ", what)
	answer, err := c.readLine(ctx)
	if err != nil {
		return err
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return errors.New("nothing was changed")
}

// readLine reads a line of the user's. A read of a terminal cannot be canceled:
// after ctx ends it is left behind, and so the program should end too.
func (c *CLI) readLine(ctx context.Context) (string, error) {
	type result struct {
		line string
		err  error
	}
	done := make(chan result, 1)
	go func() {
		line, err := bufio.NewReader(c.Stdin).ReadString('\n')
		done <- result{line, err}
	}()
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case r := <-done:
		if r.err != nil && r.line == "" {
			return "", fmt.Errorf("read the answer: %w", r.err)
		}
		return r.line, nil
	}
}
