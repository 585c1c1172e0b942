//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/musterhq/muster/integration/fleet"
	"github.com/musterhq/muster/integration/lab"
)

// measurements in the order in which they are taken: hosts die last.
var measurements = []struct {
	name string
	take func(context.Context, *bench) error
}{
	{"rest", rest},
	{"deploy", deploys},
	{"busy", busy},
	{"agent", agentKills},
	{"disk", hungDisks},
	{"follower", followerDeaths},
	{"leader", leaderDeaths},
}

// bench is a run of this program.
type bench struct {
	fleet   *fleet.Fleet
	runs    int
	figures figures
}

func main() {
	runs := flag.Int("runs", 5, "how often a host dies in each way")
	only := flag.String("only", "", "measurements to take, separated by commas: "+strings.Join(names(), ", "))
	file := flag.String("json", "", "write the figures to this file, too")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
	context.AfterFunc(ctx, stop)
	if err := run(ctx, *runs, *only, *file); err != nil {
		fmt.Fprintf(os.Stderr, "bench-failover: %v\n", err)
		os.Exit(1)
	}
}

func names() []string {
	var names []string
	for _, m := range measurements {
		names = append(names, m.name)
	}
	return names
}

func run(ctx context.Context, runs int, only, file string) (err error) {
	wanted := names()
	if only != "" {
		wanted = strings.Split(only, ",")
	}
	for _, name := range wanted {
		if !slices.Contains(names(), name) {
			return fmt.Errorf("there is no measurement %q; there are %s", name, strings.Join(names(), ", "))
		}
	}
	b, err := begin(ctx, runs)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.fleet.Lab.Close()) }()
	err = b.measure(ctx, wanted)
	b.figures.print(os.Stdout)
	if err != nil || file == "" {
		return err
	}
	return b.figures.write(file)
}

func (b *bench) measure(ctx context.Context, wanted []string) error {
	for _, m := range measurements {
		if !slices.Contains(wanted, m.name) {
			continue
		}
		err := m.take(ctx, b)
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("%s: interrupted", m.name)
		case err != nil:
			return fmt.Errorf("%s: %w%s", m.name, err, b.logs())
		}
	}
	return nil
}

// dataDisk is the size of the file system of each agent's data, in bytes.
const dataDisk = 512 << 20

// begin makes the cluster, with the image on every host.
func begin(ctx context.Context, runs int) (*bench, error) {
	root, err := fleet.Root(ctx)
	if err != nil {
		return nil, err
	}
	binary := filepath.Join(root, "bin", "muster")
	if err := fleet.Build(ctx, binary); err != nil {
		return nil, err
	}
	l, err := lab.New(ctx, lab.Options{Name: "bench-failover", Binary: binary, SmallDisk: dataDisk, LoopDisk: true})
	if err != nil {
		return nil, err
	}
	f, err := fleet.New(ctx, l, 3)
	if err == nil {
		err = f.Form(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return &bench{fleet: f, runs: runs}, nil
}

// logs are the ends of the agents' logs, for an error's message.
func (b *bench) logs() string {
	var all strings.Builder
	for _, h := range b.fleet.Hosts {
		fmt.Fprintf(&all, "\n--- agent of %s\n%s", h.Name, h.LogTail("agent", 2<<10))
	}
	return all.String()
}

// tell prints a line of progress.
func tell(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
