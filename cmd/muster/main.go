// Command muster is the agent and the command line that talks to it.
package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/musterhq/muster/agent"
	"github.com/musterhq/muster/cli"
	"github.com/musterhq/muster/configs"
)

// version is set by the linker of a release.
var version = "devel"

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal ends the program at once.
	context.AfterFunc(ctx, stop)
	return cli.New(cli.Deps{
		RunAgent:     runAgent,
		RunDataPlane: runDataPlane,
		Simulate:     agent.Simulate,
		Version:      version,
		Stdin:        os.Stdin,
		Stdout:       os.Stdout,
		Stderr:       os.Stderr,
	}).Run(ctx, os.Args[1:])
}

func runAgent(ctx context.Context, cfg configs.Config, log *slog.Logger) error {
	return agent.Run(ctx, cfg, version, log)
}

func runDataPlane(ctx context.Context, cfg configs.Config, how cli.DataPlane, log *slog.Logger) error {
	return agent.RunDataPlane(ctx, cfg, agent.DataPlaneStart(how), version, log)
}
