package cli

import (
	"bytes"
	"net"
	"path/filepath"
	"testing"
)

// TestCompletionGivesUp: an agent that hangs must not hold up the shell.
func TestCompletionGivesUp(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket) // the kernel accepts, nobody answers
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	var out, errs bytes.Buffer
	c := New(Deps{Stdout: &out, Stderr: &errs, Env: func(string) (string, bool) { return "", false }})
	if code := c.Run(t.Context(), []string{"__complete", "-H", "unix://" + socket, "inspect", ""}); code != 0 {
		t.Errorf("exit code %d: %s", code, &errs)
	}
	if out.String() != ":4\n" {
		t.Errorf("offered %q, want nothing", &out)
	}
}
