//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

func main() {
	up := flag.Bool("up", false, "leave the cluster up after the deploy")
	down := flag.Bool("down", false, "take down what -up left")
	keep := flag.Bool("keep", false, "be the process that holds what -up leaves (used by -up itself)")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
	// A second Ctrl-C ends the program at once; the next run sweeps.
	context.AfterFunc(ctx, stop)

	var err error
	switch {
	case *down:
		err = takeDown(ctx)
	case *up:
		err = leaveUp(ctx)
	case *keep:
		err = holdUp(ctx)
	default:
		err = show(ctx)
	}
	if err == nil {
		return
	}
	interrupted := errors.Is(err, errInterrupted)
	if !interrupted || !*keep { // -up says it for the holder
		fmt.Fprintf(os.Stderr, "\ndemo: %v\n", err)
	}
	if interrupted {
		os.Exit(130)
	}
	os.Exit(1)
}
