//go:build linux

package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func testBinary(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// TestAgent starts a stand-in for the agent in every way.
func TestAgent(t *testing.T) {
	t.Setenv("MUSTER_SECRET", "of the caller")
	l := newLab(t, Options{Binary: testBinary(t)})
	h := startHosts(t, l, 1)[0]
	ctx := t.Context()

	err := h.StartAgent(ctx, AgentOptions{Args: []string{"--fail"}})
	if err == nil || !strings.Contains(err.Error(), "cannot start, as asked") {
		t.Errorf("an agent that fails: %v", err)
	}
	if err := h.StartAgent(ctx, AgentOptions{Args: []string{"--cpus", "2"}, Env: []string{"EXTRA=1"}}); err != nil {
		t.Fatal(err)
	}
	log := h.LogTail("agent", 4<<10)
	for _, want := range []string{"--advertise 10.213.0.11 --name n1", "--cpus 2", "EXTRA=1", "HOST_PROC=" + filepath.Join(h.Dir, "proc")} {
		if !strings.Contains(log, want) {
			t.Errorf("the agent was not given %q", want)
		}
	}
	if strings.Contains(log, "of the caller") {
		t.Error("the agent has the caller's environment")
	}
	if err := h.StartAgent(ctx, AgentOptions{}); err == nil {
		t.Error("two agents on one host")
	}

	pid := h.AgentPID()
	if err := h.PauseAgent(); err != nil {
		t.Fatal(err)
	}
	await(t, func() bool { return processState(pid) == "T" })
	if err := h.ContinueAgent(); err != nil {
		t.Fatal(err)
	}
	if err := h.StopAgent(ctx); err != nil {
		t.Fatal(err)
	}
	if err := h.StartAgent(ctx, AgentOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := h.KillAgent(ctx); err != nil {
		t.Fatal(err)
	}
	if h.AgentPID() != 0 || h.StopAgent(ctx) == nil {
		t.Error("a killed agent counts as running")
	}
}

// processState is the state letter of proc(5), "" if the process is gone.
func processState(pid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	return rest[:1]
}

func TestCLI(t *testing.T) {
	l := newLab(t, Options{Binary: testBinary(t)})
	h := startHosts(t, l, 1)[0]
	r := h.CLI(t.Context(), "echo", "a", "b")
	if r.ExitCode != 3 || !strings.HasPrefix(r.Stdout, "a b\n") || !strings.Contains(r.Stdout, "MUSTER_HOST=unix://"+h.Socket+"\n") {
		t.Errorf("%+v", r)
	}

	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan Result, 1)
	go func() { done <- h.Exec(ctx, "sleep", "3600") }()
	await(t, func() bool { return h.Exec(t.Context(), "pgrep", "-f", "-x", "sleep 3600").ExitCode == 0 })
	cancel()
	if r := <-done; r.ExitCode != -1 {
		t.Errorf("a command outlived its context: %+v", r)
	}
}
