package client

import (
	"io"
	"net/url"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSSHArguments(t *testing.T) {
	for host, want := range map[string][]string{
		"ssh://n1":                    {"-T", "-o", "ConnectTimeout=10", "--", "n1", "muster", "dial-stdio"},
		"ssh://ops@n1:2222":           {"-l", "ops", "-p", "2222", "-T", "-o", "ConnectTimeout=10", "--", "n1", "muster", "dial-stdio"},
		"ssh://n1/tmp/it's/here.sock": {"-T", "-o", "ConnectTimeout=10", "--", "n1", "muster", "-H", `'unix:///tmp/it'\''s/here.sock'`, "dial-stdio"},
	} {
		u, err := url.Parse(host)
		if err != nil {
			t.Fatal(err)
		}
		got, err := sshArgs(u)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", host, d)
		}
	}
}

func TestCommandConnection(t *testing.T) {
	conn, err := startCommand("ssh://n1", exec.Command("cat"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if err := conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(conn)
	if err != nil || string(got) != "hello" {
		t.Errorf("got %q, %v", got, err)
	}
	_ = conn.Close()
}

// TestCommandFails tells the user what ssh said.
func TestCommandFails(t *testing.T) {
	conn, err := startCommand("ssh://n1", exec.Command("sh", "-c", "echo no such host >&2; exit 255"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.ReadAll(conn)
	if err == nil || !strings.Contains(err.Error(), "no such host") {
		t.Errorf("got %v", err)
	}
	_ = conn.Close()
}

// TestCommandIsEnded leaves no process that ignores the end of its input.
func TestCommandIsEnded(t *testing.T) {
	cmd := exec.Command("sleep", "1000")
	conn, err := startCommand("ssh://n1", cmd)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	if cmd.ProcessState == nil {
		t.Error("the process was not waited for")
	}
}

func TestTailKeepsTheEnd(t *testing.T) {
	var kept tail
	for range 100 {
		_, _ = kept.Write([]byte(strings.Repeat("x", 100)))
	}
	_, _ = kept.Write([]byte("the end"))
	if got := kept.String(); len(got) > tailSize || !strings.HasSuffix(got, "the end") {
		t.Errorf("kept %d bytes", len(got))
	}
}
