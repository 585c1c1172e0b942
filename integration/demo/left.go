//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/musterhq/muster/integration/lab"
)

// pidFile is locked by the process that holds what -up left, and has its number.
// That process keeps the lab's lock, so that no other lab sweeps the demo away,
// and feeds the hosts with their load.
const pidFile = "/run/muster-demo.pid"

// upWord is what the holder reports when the cluster is up, on reportFD.
const (
	upWord   = "up"
	reportFD = 3
)

// leaveUp starts the holder and shows what it says until the cluster is up.
func leaveUp(ctx context.Context) error {
	if err := refuseSecond(); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	ready, report, err := os.Pipe()
	if err != nil {
		return err
	}
	defer ready.Close()
	said, speak, err := os.Pipe()
	if err != nil {
		return err
	}
	defer said.Close()
	cmd := exec.Command(self, "-keep")
	cmd.Stdout, cmd.Stderr = speak, speak
	cmd.ExtraFiles = []*os.File{report}
	cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true}
	err = cmd.Start()
	report.Close()
	speak.Close()
	if err != nil {
		return fmt.Errorf("start the process that holds the demo: %w", err)
	}
	defer context.AfterFunc(ctx, func() { _ = cmd.Process.Signal(unix.SIGTERM) })()
	_, _ = io.Copy(os.Stdout, said)
	word := make([]byte, len(upWord))
	if _, err := io.ReadFull(ready, word); err != nil {
		err := cmd.Wait()
		if ctx.Err() != nil {
			return errInterrupted
		}
		return fmt.Errorf("the demo is not up: %w", err)
	}
	return cmd.Process.Release()
}

// holdUp is the holder: it lives until -down, or until it is told to end.
func holdUp(ctx context.Context) error {
	unix.CloseOnExec(reportFD) // or the hosts' engines keep it open and the caller waits for ever
	lock, free, err := lockPID()
	if err != nil {
		return err
	}
	defer lock.Close()
	if !free {
		return fmt.Errorf("hold the demo: another process has locked %s", pidFile)
	}
	if err := errors.Join(lock.Truncate(0), writeAt(lock, strconv.Itoa(os.Getpid()))); err != nil {
		return err
	}
	fmt.Println(intro)
	s, err := begin(ctx)
	if err != nil {
		return whole(ctx, err, nil)
	}
	err = s.deploy(ctx)
	if err == nil {
		s.howToTalk()
		err = s.letGo()
	}
	if err == nil {
		<-ctx.Done()
	}
	return whole(ctx, err, s.fleet.Lab.Close())
}

func writeAt(f *os.File, text string) error {
	_, err := f.WriteAt([]byte(text), 0)
	return err
}

// letGo says that the cluster is up, and gives the caller's terminal back.
func (s *story) letGo() error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	report := os.NewFile(reportFD, "report")
	defer report.Close()
	if _, err := report.WriteString(upWord); err != nil {
		return err
	}
	for _, fd := range []int{1, 2} {
		if err := unix.Dup3(int(null.Fd()), fd, 0); err != nil {
			return err
		}
	}
	return nil
}

func (s *story) howToTalk() {
	first := s.fleet.Hosts[0]
	s.title("It stays up. Talk to it:")
	s.say("export MUSTER_HOST=unix://%s    # the agent of %s", first.Socket, first.Name)
	s.say("bin/muster status")
	s.say("bin/muster ps")
	s.say("bin/muster scale %s=9", service)
	s.say("bin/muster logs -f %s", service)
	s.say("curl http://%s:%d/", first.Addr, port)
	s.say("docker -H unix://%s ps", first.DockerSocket)
	s.say("make demo-down")
}

// takeDown ends what -up left, and sweeps up after demos that were killed.
func takeDown(ctx context.Context) error {
	if err := stopKeeper(ctx); err != nil {
		return err
	}
	if err := lab.Sweep(ctx); err != nil {
		return err
	}
	fmt.Println("The demo is down; nothing of it is left.")
	return nil
}

// refuseSecond is an error while a demo is up: only -down takes one down, for it
// may be somebody else's.
func refuseSecond() error {
	lock, free, err := lockPID()
	if err != nil {
		return err
	}
	lock.Close()
	if !free {
		return errors.New("a demo is up on this machine; take it down with `make demo-down` first")
	}
	return nil
}

// lockPID opens the file of the holder's number, and locks it unless a holder
// has: free is false then.
func lockPID() (f *os.File, free bool, err error) {
	f, err = os.OpenFile(pidFile, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, false, fmt.Errorf("look for a demo that is up: %w", err)
	}
	return f, unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil, nil
}

// stopKeeper ends the holder of an earlier -up, if there is one, and waits until
// it has taken its hosts down.
func stopKeeper(ctx context.Context) error {
	lock, free, err := lockPID()
	if err != nil {
		return err
	}
	defer lock.Close()
	if free {
		return nil
	}
	if err := terminate(lock); err != nil {
		return err
	}
	fmt.Println("Taking down the demo that was left up.")
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}

func terminate(lock *os.File) error {
	b, err := io.ReadAll(lock)
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return fmt.Errorf("%s does not name the process that holds the demo: %w", pidFile, err)
	}
	return unix.Kill(pid, unix.SIGTERM)
}
