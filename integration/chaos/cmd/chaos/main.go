//go:build linux

// Command chaos disturbs a cluster on Docker hosts of this machine for some
// minutes, and says what that broke.
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
	"time"

	"golang.org/x/sys/unix"

	"github.com/musterhq/muster/integration/chaos"
	"github.com/musterhq/muster/integration/fleet"
	"github.com/musterhq/muster/integration/lab"
)

// hosts are enough for three voters, a minority of two, and a bridge.
const hosts = 5

// dataDisk is each host's disk for the agent's data, so that it can be filled and
// hang.
const dataDisk = 96 << 20

func main() {
	seed := flag.Uint64("seed", 1, "what is staged, and when")
	minutes := flag.Float64("minutes", 5, "for how long faults are staged; 0: every class once")
	class := flag.String("class", "", "stage these classes of faults alone, separated by commas, in that order")
	list := flag.Bool("classes", false, "list the classes of faults")
	flag.Parse()
	if *list {
		fmt.Println(strings.Join(chaos.Classes(), "\n"))
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
	defer stop()
	cfg := chaos.Config{Seed: *seed, For: time.Duration(*minutes * float64(time.Minute)), Log: os.Stdout}
	again := fmt.Sprintf("make chaos MINUTES=%g SEED=%d", *minutes, *seed)
	if *class != "" {
		cfg.Classes = strings.Split(*class, ",")
		again = fmt.Sprintf("go run ./integration/chaos/cmd/chaos -minutes %g -seed %d -class %q", *minutes, *seed, *class)
	}
	if err := run(ctx, cfg); err != nil {
		fmt.Fprintf(os.Stderr, "%v\nthe same faults again: %s\n", err, again)
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
	l, err := lab.New(ctx, lab.Options{Name: "chaos", Binary: binary, SmallDisk: dataDisk, LoopDisk: true})
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
	report.Print(os.Stdout)
	if err == nil && len(report.Broken) > 0 {
		err = fmt.Errorf("broken:\n  %s", strings.Join(report.Broken, "\n  "))
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "--- users were told last\n%s\n", strings.Join(report.Last, "\n"))
		tell(f)
	}
	return err
}

// tell shows what the cluster did last, and what each host knows.
func tell(f *fleet.Fleet) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	r := f.Any().CLI(ctx, "events", "--tail", "60")
	fmt.Fprintf(os.Stderr, "--- %s: events\n%s%s", f.Any().Name, r.Stdout, r.Stderr)
	for _, h := range f.Up() {
		r := h.CLI(ctx, "ps", "-o", "wide")
		fmt.Fprintf(os.Stderr, "--- %s: ps\n%s%s--- log of its agent\n%s\n--- complaints of its engine\n%s\n",
			h.Name, r.Stdout, r.Stderr, h.LogTail("agent", 6<<10), complaints(h.LogTail("dockerd", 32<<10)))
	}
}

// complaints are the last lines of a log that are more than information.
func complaints(log string) string {
	lines := slices.DeleteFunc(strings.Split(log, "\n"), func(line string) bool { return strings.Contains(line, "level=info") })
	return strings.Join(lines[max(0, len(lines)-15):], "\n")
}
