package script

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/musterhq/muster/agent"
	"github.com/musterhq/muster/cli"
	"github.com/musterhq/muster/configs"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"muster": muster})
}

// muster is the program as main wires it, at a fixed time and with an agent that
// only shows what it was told.
func muster() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(cli.New(cli.Deps{
		RunAgent: func(_ context.Context, c configs.Config, log *slog.Logger) error {
			log.Debug("shown at level debug only")
			return json.NewEncoder(os.Stdout).Encode(c)
		},
		Simulate: agent.Simulate,
		Version:  "1.2.3",
		Stdin:    os.Stdin,
		Stdout:   os.Stdout,
		Stderr:   os.Stderr,
		Now:      func() time.Time { return time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC) },
	}).Run(ctx, os.Args[1:]))
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(e *testscript.Env) error {
			socket, err := shortSocket(e)
			e.Setenv("SOCKET", socket)
			e.Setenv("MUSTER_HOST", "unix://"+socket)
			e.Setenv("TZ", "UTC")
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"serve": serve,
			"exits": exits,
			"await": await,
		},
	})
}

// shortSocket is a path for the script's agent, short enough for an address.
func shortSocket(e *testscript.Env) (string, error) {
	dir, err := os.MkdirTemp("", "muster")
	if err != nil {
		return "", err
	}
	e.Defer(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "s"), nil
}

// serve starts the agent that answers from the files below api.
func serve(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 0 {
		ts.Fatalf("usage: serve")
	}
	stop, err := startStub(ts.Getenv("SOCKET"), ts.Getenv("WORK"))
	ts.Check(err)
	ts.Defer(func() { ts.Check(stop()) })
}

// exits runs a program and holds it to an exit code: exits 2 muster ls --foo.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM [ARG...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// await waits until a file matches: await FILE REGEXP.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: await FILE REGEXP")
	}
	pattern, err := regexp.Compile(args[1])
	ts.Check(err)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(30 * time.Second)
	for {
		content, err := os.ReadFile(ts.MkAbs(args[0]))
		if err == nil && pattern.Match(content) {
			return
		}
		select {
		case <-deadline:
			ts.Fatalf("%s did not come to match %q: %s", args[0], args[1], fmt.Sprint(string(content), err))
		case <-tick.C:
		}
	}
}
