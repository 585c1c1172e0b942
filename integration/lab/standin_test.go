//go:build linux

package lab

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// standIn plays the program that the arguments ask for and reports whether there
// was one. The tests start their own binary as
//
//	agent ... --socket PATH ...   an agent that says what it was given and listens
//	echo ...                      a command line that prints arguments and environment
//	interrupted                   a caller of the lab that is ended half-way, by a signal
func standIn() bool {
	if len(os.Args) < 2 {
		return false
	}
	var err error
	switch os.Args[1] {
	case "agent":
		err = fakeAgent()
	case "echo":
		fmt.Println(strings.Join(os.Args[2:], " "))
		fmt.Println(strings.Join(os.Environ(), "\n"))
		os.Exit(3)
	case "interrupted":
		err = interrupted()
	default:
		return false
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return true
}

func fakeAgent() error {
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM)
	defer stop()
	fmt.Println(strings.Join(os.Args, " "))
	fmt.Println(strings.Join(os.Environ(), "\n"))
	if slices.Contains(os.Args, "--fail") {
		return fmt.Errorf("cannot start, as asked")
	}
	socket := os.Args[slices.Index(os.Args, "--socket")+1]
	if err := os.RemoveAll(socket); err != nil {
		return err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "unix", socket)
	if err != nil {
		return err
	}
	defer l.Close()
	<-ctx.Done()
	return nil
}

// interrupted makes a lab, says so, and waits to be killed.
func interrupted() error {
	ctx := context.Background()
	l, err := New(ctx, Options{Name: "interrupted", SmallDisk: 1 << 20})
	if err != nil {
		return err
	}
	l.CloseOnSignal()
	if _, err := l.StartHosts(ctx, 2); err != nil {
		return err
	}
	fmt.Println("ready", l.Dir)
	select {}
}
