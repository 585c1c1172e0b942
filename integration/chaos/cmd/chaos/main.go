//go:build linux

// Command chaos disturbs a cluster on Docker hosts of this machine for some
// minutes, and says what that broke.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/musterhq/muster/integration/chaos"
	"github.com/musterhq/muster/integration/fleet"
	"github.com/musterhq/muster/integration/lab"
)

// hosts are enough for three voters, a minority of two, and a bridge.
const hosts = 5

// dataDisk is each host's disk for the agent's data, so that it can be filled.
const dataDisk = 96 << 20

func main() {
	seed := flag.Uint64("seed", 1, "what is staged, and when")
	minutes := flag.Float64("minutes", 5, "for how long faults are staged")
	class := flag.String("class", "", "stage these classes of faults alone, separated by commas")
	list := flag.Bool("classes", false, "list the classes of faults")
	flag.Parse()
	if *list {
		fmt.Println(strings.Join(chaos.Classes(), "\n"))
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
	defer stop()
	cfg := chaos.Config{Seed: *seed, For: time.Duration(*minutes * float64(time.Minute)), Log: os.Stdout}
	if *class != "" {
		cfg.Classes = strings.Split(*class, ",")
	}
	if err := run(ctx, cfg); err != nil {
		fmt.Fprintln(os.Stderr, err)
		fmt.Fprintf(os.Stderr, "the same faults again: make chaos MINUTES=%g SEED=%d\n", *minutes, *seed)
		os.Exit(1)
	}
}

func run(ctx context.Context, cfg chaos.Config) (err error) {
	dir, err := os.MkdirTemp("", "muster-chaos-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "muster")
	if err := fleet.Build(ctx, binary); err != nil {
		return err
	}
	l, err := lab.New(ctx, lab.Options{Name: "chaos", Binary: binary, SmallDisk: dataDisk})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	f, err := fleet.New(ctx, l, hosts)
	if err != nil {
		return err
	}
	if err := f.Form(ctx); err != nil {
		return err
	}
	report, err := chaos.Start(ctx, f, cfg)
	print(report)
	if err == nil && len(report.Broken) > 0 {
		err = fmt.Errorf("broken:\n  %s", strings.Join(report.Broken, "\n  "))
	}
	if err != nil {
		tell(f)
	}
	return err
}

// print is the summary of a run.
func print(r chaos.Report) {
	staged := 0
	for _, class := range slices.Sorted(maps.Keys(r.Faults)) {
		fmt.Printf("%4d  %s\n", r.Faults[class], class)
		staged += r.Faults[class]
	}
	fmt.Printf("seed %d: %d faults of %d classes, %d operations of users (%d with an unknown outcome), %d looks, at most %.1f s until all was as desired, %d invariants broken\n",
		r.Seed, staged, len(r.Faults), r.Operations, r.Unknown, r.Checks, r.Slowest.Seconds(), len(r.Broken))
}

// tell shows what each host knows after a failure.
func tell(f *fleet.Fleet) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for _, h := range f.Up() {
		r := h.CLI(ctx, "ps", "-o", "wide")
		fmt.Fprintf(os.Stderr, "--- %s: ps\n%s%s--- log of its agent\n%s\n", h.Name, r.Stdout, r.Stderr, h.LogTail("agent", 8<<10))
	}
}
