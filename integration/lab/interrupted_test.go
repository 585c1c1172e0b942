//go:build linux

package lab

import (
	"bufio"
	"context"
	"errors"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// startInterrupted runs a lab with two hosts in a process of its own.
func startInterrupted(t *testing.T) (cmd *exec.Cmd, dir string) {
	t.Helper()
	needLab(t)
	cmd = exec.CommandContext(t.Context(), testBinary(t), "interrupted")
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	dir, ready := strings.CutPrefix(strings.TrimSpace(line), "ready ")
	if err != nil || !ready {
		t.Fatalf("the lab to interrupt: %q, %v", line, err)
	}
	return cmd, dir
}

// TestKilled kills a process that uses a lab and makes another one at once.
func TestKilled(t *testing.T) {
	cmd, dir := startInterrupted(t)
	short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if l, err := New(short, Options{Name: "second"}); err == nil {
		t.Error("two labs at a time")
		_ = l.Close()
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if len(traces(t)) == 0 || !exists(dir) {
		t.Error("the killed lab left nothing: this test tests nothing")
	}

	l := newLab(t, Options{})
	if exists(dir) {
		t.Errorf("%s is still there", dir)
	}
	startHosts(t, l, 2)
}

// TestSignal ends a process that has asked for its lab to be closed first.
func TestSignal(t *testing.T) {
	cmd, dir := startInterrupted(t)
	if err := cmd.Process.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != unix.SIGTERM {
		t.Errorf("the process ended with %v", err)
	}
	for _, trace := range traces(t) {
		t.Errorf("left behind: %s", trace)
	}
	if exists(dir) {
		t.Errorf("left behind: %s", dir)
	}
}

// TestCloseWhileBooting closes a lab whose hosts are on their way up.
func TestCloseWhileBooting(t *testing.T) {
	l := newLab(t, Options{})
	started := make(chan error, 1)
	go func() {
		_, err := l.StartHosts(t.Context(), 3)
		started <- err
	}()
	await(t, func() bool { return len(traces(t)) > 5 })
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if err := <-started; err == nil {
		t.Error("hosts started in a closed lab")
	}
}

func TestSweepOfNothing(t *testing.T) {
	needLab(t)
	if err := Sweep(t.Context()); err != nil {
		t.Error(err)
	}
}
