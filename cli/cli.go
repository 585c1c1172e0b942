package cli

import (
	"context"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/api/client"
	"github.com/musterhq/muster/configs"
)

// Deps are what the command line gets from the process that it runs in.
type Deps struct {
	// RunAgent runs an agent until ctx ends.
	RunAgent func(ctx context.Context, c configs.Config, log *slog.Logger) error
	// RunDataPlane runs a data plane until ctx ends or another one goes on.
	RunDataPlane func(ctx context.Context, c configs.Config, how DataPlane, log *slog.Logger) error
	// Simulate answers from a recording, without an agent.
	Simulate func(ctx context.Context, r api.Recording, in api.Simulate) (api.Simulation, error)
	Version  string

	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	Env    func(name string) (value string, ok bool) // nil: os.LookupEnv
	Now    func() time.Time                          // nil: time.Now
}

// DataPlane is how a data plane was started.
type DataPlane struct {
	Args    []string // its command line, but for what starts a successor
	Alone   bool     // it ends when this host is in no cluster
	Inherit bool     // it follows another process
}

// CLI is the command line, ready to run once.
type CLI struct {
	Deps
	root   *cobra.Command
	client *client.Client // once connected

	host    string
	yes     bool
	noColor bool
}

// New builds the command line; nothing is read or dialled yet.
func New(d Deps) *CLI {
	if d.Env == nil {
		d.Env = os.LookupEnv
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	c := &CLI{Deps: d}
	c.root = c.newRoot()
	return c
}

// Run does what args (without the program's name) say and returns the exit code.
func (c *CLI) Run(ctx context.Context, args []string) int {
	c.root.SetArgs(args)
	c.root.SetIn(c.Stdin)
	c.root.SetOut(c.Stdout)
	c.root.SetErr(c.Stderr)
	cmd, err := c.root.ExecuteContextC(ctx)
	c.warnStale()
	return c.report(ctx, cmd, err)
}

// connect makes the client that -H asks for.
func (c *CLI) connect() (*client.Client, error) {
	cl, err := client.New(c.host, client.OnWait(func(why error) {
		c.notef("still trying, since the cluster takes no change at the moment: %v", why)
	}))
	if err != nil {
		return nil, usagef("%v", err)
	}
	c.client = cl
	return cl, nil
}

// warnStale tells a person that an answer may be old.
func (c *CLI) warnStale() {
	if c.client != nil && c.client.Stale() {
		c.notef("This is this host's own, possibly old, view: the cluster has no leader that it can reach.")
	}
}

// interactive reports whether a person can answer a question.
func (c *CLI) interactive() bool { return isTerminal(c.Stdin) && isTerminal(c.Stderr) }

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// color reports whether what goes to out may be coloured.
func (c *CLI) color(out io.Writer) bool {
	if c.noColor || !isTerminal(out) {
		return false
	}
	if v, ok := c.Env("NO_COLOR"); ok && v != "" {
		return false
	}
	kind, _ := c.Env("TERM")
	return kind != "dumb"
}
