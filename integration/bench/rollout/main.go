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

// causes in the order in which they are staged: hosts die last.
var causes = []struct {
	name  string
	times int
	do    func(ctx context.Context, b *bench, time int) error
}{
	{"deploy", 20, deploy},
	{"drain", 10, drain},
	{"agent_kill", 10, killAgent},
	{"dataplane_upgrade", 5, replaceDataPlane},
	{"task_kill", 5, killTask},
	{"host_kill", 5, killHost},
}

// bench is a run of this program.
type bench struct {
	fleet   *fleet.Fleet
	rate    int // requests a second
	part    float64
	figures figures
	load    *load // of the cause that is staged
}

func main() {
	rate := flag.Int("rate", 2000, "requests a second")
	part := flag.Float64("part", 1, "how much of everything is done")
	only := flag.String("only", "", "causes to stage, separated by commas: "+strings.Join(names(), ", "))
	file := flag.String("json", "", "write the figures to this file, too")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
	context.AfterFunc(ctx, stop)
	if err := run(ctx, &bench{rate: *rate, part: *part}, *only, *file); err != nil {
		fmt.Fprintf(os.Stderr, "bench-rollout: %v\n", err)
		os.Exit(1)
	}
}

func names() []string {
	var out []string
	for _, c := range causes {
		out = append(out, c.name)
	}
	return out
}

func run(ctx context.Context, b *bench, only, file string) (err error) {
	wanted := names()
	if only != "" {
		wanted = strings.Split(only, ",")
	}
	for _, name := range wanted {
		if !slices.Contains(names(), name) {
			return fmt.Errorf("there is no cause %q; there are %s", name, strings.Join(names(), ", "))
		}
	}
	if b.fleet, err = begin(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.fleet.Lab.Close()) }()
	b.figures = figures{Failed: map[string]int{}, Late: map[string]float64{}, reasons: map[string][]string{}}
	err = b.stage(ctx, wanted)
	b.figures.print(os.Stdout)
	if err != nil || file == "" {
		return err
	}
	return b.figures.write(file)
}

func (b *bench) stage(ctx context.Context, wanted []string) error {
	if err := b.deployImage(ctx, lab.Hello); err != nil {
		return err
	}
	if err := b.fleet.AwaitAnswers(ctx, port, b.fleet.Hosts...); err != nil {
		return err
	}
	for _, c := range causes {
		if !slices.Contains(wanted, c.name) {
			continue
		}
		for i := range max(int(float64(c.times)*b.part), 1) {
			if err := b.once(ctx, c.name, i, c.do); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
	}
	return nil
}

// once stages a cause under load, and counts what failed.
func (b *bench) once(ctx context.Context, name string, i int, do func(context.Context, *bench, int) error) error {
	b.load = b.begin(ctx)
	defer b.load.stop()
	if err := wait(ctx, calm); err != nil {
		return err
	}
	if err := do(ctx, b, i); err != nil {
		return err
	}
	if err := wait(ctx, calm); err != nil {
		return err
	}
	b.load.stop()
	b.figures.add(name, b.load)
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	tell("%s %d: %d requests, %d failed", name, i+1, b.load.asked, b.load.failed)
	return nil
}

// begin makes the cluster, with the images on every host.
func begin(ctx context.Context) (*fleet.Fleet, error) {
	root, err := fleet.Root(ctx)
	if err != nil {
		return nil, err
	}
	binary := filepath.Join(root, "bin", "muster")
	if err := fleet.Build(ctx, binary); err != nil {
		return nil, err
	}
	l, err := lab.New(ctx, lab.Options{Name: "bench-rollout", Binary: binary})
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
	return f, nil
}

// tell prints a line of progress.
func tell(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
