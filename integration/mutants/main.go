package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"
)

func main() { os.Exit(run()) }

func run() int {
	only := flag.String("run", "", "only mutants whose text or file contains this")
	listed := flag.Bool("listed", false, "only the few that every run of the tests tries")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	b, err := newBench(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer b.close()
	chosen := choose(*only, *listed)
	if err := b.healthy(chosen); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	survivors := 0
	for _, m := range chosen {
		begun := time.Now()
		out, caught, err := b.try(m)
		verdict := "caught"
		switch {
		case ctx.Err() != nil:
			return 1
		case err != nil:
			verdict, out = "BROKEN", fmt.Sprintf(": %v", err)
			survivors++
		case !caught:
			verdict = "SURVIVES"
			survivors++
		}
		fmt.Printf("%-9s %6.1f s  %s\n%19s %s, by %s%s\n", verdict, time.Since(begun).Seconds(), m.removed, "", m.file, m.catch, out)
	}
	fmt.Printf("%d mutants, %d caught\n", len(chosen), len(chosen)-survivors)
	if survivors > 0 {
		return 1
	}
	return 0
}

func choose(only string, listed bool) []mutant {
	var out []mutant
	for _, m := range mutants {
		if (m.listed || !listed) && (strings.Contains(m.removed, only) || strings.Contains(m.file, only)) {
			out = append(out, m)
		}
	}
	return out
}

func (c catcher) String() string {
	if c.pkg == "" {
		return fmt.Sprintf("%d seeds of the simulator", c.seeds)
	}
	return strings.TrimSpace("go test " + c.pkg + " " + c.pattern())
}

// pattern is the argument that chooses the tests, "" for all.
func (c catcher) pattern() string {
	if c.run == "" {
		return ""
	}
	return "-run=" + c.run
}
