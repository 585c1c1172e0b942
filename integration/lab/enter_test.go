//go:build linux

package lab

import (
	"os/exec"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// A bound program is killed when the thread that started it ends, so that must
// not be one that enters a host later.
func TestBoundProgramSurvivesThreads(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "sleep", "60")
	var wait func()
	var err error
	var starter sync.WaitGroup
	starter.Go(func() { wait, err = startBound(cmd) }) // its thread is free afterwards
	if starter.Wait(); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if err := onOwnThread(func() error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	_ = cmd.Process.Signal(unix.SIGTERM)
	wait()
	if s := cmd.ProcessState.Sys().(syscall.WaitStatus).Signal(); s != unix.SIGTERM {
		t.Errorf("it was ended by %v before it was told to", s)
	}
}
