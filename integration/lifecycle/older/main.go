//go:build linux

// Command older plays the release before this one: the same agent, with an older
// version, that knows no commands but those of then.
package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/musterhq/muster/agent"
	"github.com/musterhq/muster/cli"
	"github.com/musterhq/muster/cluster/state"
	"github.com/musterhq/muster/configs"
)

const version = "older"

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return cli.New(cli.Deps{RunAgent: runAgent, RunDataPlane: runDataPlane, Version: version, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}).Run(ctx, os.Args[1:])
}

func runDataPlane(ctx context.Context, cfg configs.Config, how cli.DataPlane, log *slog.Logger) error {
	return agent.RunDataPlane(ctx, cfg, agent.DataPlaneStart(how), version, log)
}

func runAgent(ctx context.Context, cfg configs.Config, log *slog.Logger) error {
	host, err := agent.ThisHost(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { _ = host.Engine.Close() }()
	host.Commands = state.Version - 1
	return agent.RunOn(ctx, host, cfg, version, log)
}
