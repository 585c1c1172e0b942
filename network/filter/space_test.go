package filter

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

// inSpace says that the process is the one that runs the tests.
const inSpace = "MUSTER_FILTER_TEST_SPACE"

// TestMain runs the tests in a network namespace of their own, which goes with
// them: they write rules, and settings of the kernel.
func TestMain(m *testing.M) {
	if os.Geteuid() != 0 || os.Getenv(inSpace) != "" {
		goleak.VerifyTestMain(m)
		return
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), inSpace+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	runtime.LockOSThread() // the child dies with the thread that made it
	switch err := cmd.Run(); {
	case err == nil:
	case cmd.ProcessState != nil && cmd.ProcessState.Exited():
		os.Exit(cmd.ProcessState.ExitCode())
	default:
		fmt.Fprintln(os.Stderr, "run the tests in a network namespace:", err)
		os.Exit(1)
	}
}

// needRoot skips tests of the kernel where it is not to be had.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("writes rules of the packet filter, in a network namespace of its own, which needs root")
	}
}
