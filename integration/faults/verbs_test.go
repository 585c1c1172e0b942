//go:build linux

package faults

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/musterhq/muster/integration/fleet/fleettest"
	"github.com/musterhq/muster/integration/lab"
)

// tool is an image whose program reads, writes and exits as it is told.
const (
	tool        = "muster-tool:1"
	toolProgram = "github.com/musterhq/muster/runtime/runtimetest/testprogram"
)

// toolStack is one task of it, bound to a node.
const toolStack = `name: app
services:
  tool:
    image: muster-tool:1
    stop_grace_period: 1s
    deploy:
      placement: {constraints: [node.hostname == NODE]}
`

// toolLoaded tells whether the ring's hosts have the image.
var toolLoaded bool

// loadTool builds the image and gives it to every host, once.
func loadTool(c *fleettest.Cluster) {
	c.T.Helper()
	if toolLoaded {
		return
	}
	binary := filepath.Join(c.T.TempDir(), "tool")
	cmd := exec.CommandContext(c.T.Context(), "go", "build", "-trimpath", "-o", binary, toolProgram)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		c.T.Fatalf("build %s: %v\n%s", toolProgram, err, out)
	}
	for _, h := range c.Hosts {
		c.Must(h.ImportImage(c.T.Context(), tool, binary, "/tool"))
	}
	toolLoaded = true
}

// shell runs a shell line on a host, where `muster` talks to the agent there.
func shell(c *fleettest.Cluster, h *lab.Host, line string) lab.Result {
	c.T.Helper()
	setup := "muster() { " + ring.Options.Binary + ` "$@"; }; export HOME=` + h.Dir + " MUSTER_HOST=unix://" + h.Socket + "\n"
	r := h.Exec(c.T.Context(), "sh", "-c", setup+line)
	c.T.Logf("%s$ %s    # exit %d", h.Name, line, r.ExitCode)
	return r
}

// TestExec runs commands in a container from a node that does not have it.
func TestExec(t *testing.T) {
	c := cluster(t)
	loadTool(c)
	at, from := c.Hosts[2], c.Hosts[0]
	c.Run(from, "deploy", "-f", c.File("compose.yaml", strings.Replace(toolStack, "NODE", at.Name, 1)))
	for _, one := range []struct {
		line     string
		code     int
		out, err string // what standard output is, and what is in standard error
	}{
		{"muster exec app/tool /tool echo across hosts", 0, "across hosts\n", ""},
		{"muster exec tool.1 /tool exit 7", 7, "", ""},
		{"muster exec app/tool /tool none", 1, "", "no such verb: none"},
		{"printf 'one\\ntwo\\n' | muster exec -i app/tool /tool cat", 0, "one\ntwo\n", ""},
		{"head -c 3000000 /dev/zero | muster exec -i app/tool /tool cat | wc -c", 0, "3000000\n", ""},
		{"muster exec -e GREETING=hello app/tool /tool env GREETING", 0, "hello\n", ""},
		{"muster exec -it app/tool /tool cat </dev/null", 2, "", "terminal"},
		{"muster exec app/tool.9 /tool cat", 1, "", "app/tool.9"},
	} {
		r := shell(c, from, one.line)
		if r.ExitCode != one.code || r.Stdout != one.out || !strings.Contains(r.Stderr, one.err) {
			t.Errorf("%s: exit code %d, %.200q, %q\nwant %d, %q, %q", one.line, r.ExitCode, r.Stdout, r.Stderr, one.code, one.out, one.err)
		}
	}
}

// TestExecOnATerminal gives the command a terminal, which echoes what is typed.
func TestExecOnATerminal(t *testing.T) {
	if _, err := exec.LookPath("script"); err != nil {
		t.Skip("script, of util-linux, makes the terminal: ", err)
	}
	c := cluster(t)
	loadTool(c)
	at, from := c.Hosts[2], c.Hosts[0]
	c.Run(from, "deploy", "-f", c.File("compose.yaml", strings.Replace(toolStack, "NODE", at.Name, 1)))
	typed := `(sleep 0.5; printf 'typed\n'; sleep 0.5; printf '\004'; sleep 0.5) | script -qec "` + ring.Options.Binary + ` exec -it app/tool /tool cat" /dev/null`
	if r := shell(c, from, typed); r.ExitCode != 0 || strings.Count(r.Stdout, "typed\r\n") != 2 {
		t.Errorf("exit code %d, %q", r.ExitCode, r.Stdout)
	}
	if r := shell(c, from, `script -qec "`+ring.Options.Binary+` exec -it app/tool /tool exit 7" /dev/null </dev/null`); r.ExitCode != 7 {
		t.Errorf("exit code %d, %q", r.ExitCode, r.Stdout)
	}
}

// TestRunOnce runs commands to their end and exits with their code, and leaves
// nothing behind.
func TestRunOnce(t *testing.T) {
	c := cluster(t)
	loadTool(c)
	for _, one := range []struct {
		line string
		code int
		out  string
	}{
		{"muster run --rm " + tool + " echo one shot", 0, "one shot\n"},
		{"muster run --rm " + tool + " exit 7", 7, ""},
		{"muster run --rm -e NAME=value " + tool + " env NAME", 0, "value\n"},
	} {
		if r := shell(c, c.Hosts[1], one.line); r.ExitCode != one.code || r.Stdout != one.out {
			t.Errorf("%s: exit code %d, %q, %s", one.line, r.ExitCode, r.Stdout, r.Stderr)
		}
	}
	if left := c.Run(c.Hosts[0], "ls", "-q"); left != "" {
		t.Errorf("services are left: %s", left)
	}
}

// background is a command line that runs beside the test; what it prints is in
// a file.
type background struct {
	c    *fleettest.Cluster
	path string
	done chan lab.Result
}

func begin(c *fleettest.Cluster, h *lab.Host, line string) background {
	c.T.Helper()
	ctx, cancel := context.WithCancel(c.T.Context())
	b := background{c, filepath.Join(c.T.TempDir(), "output"), make(chan lab.Result, 1)}
	go func() {
		b.done <- h.Exec(ctx, "sh", "-c", "MUSTER_HOST=unix://"+h.Socket+" exec "+ring.Options.Binary+" "+line+" >"+b.path+" 2>&1")
	}()
	c.T.Cleanup(func() {
		cancel()
		<-b.done
	})
	return b
}

// printed is what the command has printed so far.
func (b background) printed() string {
	b.c.T.Helper()
	text, err := os.ReadFile(b.path)
	if !os.IsNotExist(err) {
		b.c.Must(err)
	}
	return string(text)
}
