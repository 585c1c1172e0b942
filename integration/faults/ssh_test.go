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

// TestOverSSH drives the cluster from a machine without an agent, through a real
// sshd on one of its hosts.
func TestOverSSH(t *testing.T) {
	if _, err := exec.LookPath("/usr/sbin/sshd"); err != nil {
		t.Skip("it needs a real sshd (Debian's openssh-server): ", err)
	}
	c := cluster(t)
	loadTool(c)
	door := c.Hosts[1]
	ssh := startSSHD(c, door)
	// The machine outside has the user's ssh and nothing of Muster's but the
	// program.
	outside := func(line string) lab.Result {
		cmd := exec.CommandContext(t.Context(), "sh", "-c", "muster() { "+ring.Options.Binary+` "$@"; }`+"\n"+line)
		cmd.Env = []string{"PATH=" + ssh + ":/usr/bin:/bin", "MUSTER_HOST=ssh://root@" + door.Addr + ":2222" + door.Socket}
		var out, errs strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &errs
		_ = cmd.Run() // the exit code is looked at
		r := lab.Result{Stdout: out.String(), Stderr: errs.String(), ExitCode: cmd.ProcessState.ExitCode()}
		t.Logf("outside$ %s    # exit %d", line, r.ExitCode)
		return r
	}
	path := c.File("compose.yaml", strings.Replace(toolStack, "NODE", c.Hosts[2].Name, 1))
	for _, one := range []struct {
		line string
		code int
		out  string // is in standard output
		err  string // is in standard error
	}{
		{"muster deploy -f " + path, 0, "app/tool", ""},
		{"muster node ls -q | wc -l", 0, "3", ""},
		{"printf 'one\\ntwo\\n' | muster exec -i app/tool /tool cat", 0, "one\ntwo\n", ""},
		{"muster exec app/tool /tool exit 7", 7, "", ""},
		{"muster logs app/tool", 0, "ready", ""},
		{"muster -H ssh://root@" + door.Addr + ":2223 ls", 1, "", "refused"},
	} {
		r := outside(one.line)
		if r.ExitCode != one.code || !strings.Contains(r.Stdout, one.out) || !strings.Contains(r.Stderr, one.err) {
			t.Errorf("%s: exit code %d, %q, %q", one.line, r.ExitCode, r.Stdout, r.Stderr)
		}
	}
}

// startSSHD runs an sshd on a host for the test's time, and returns a directory
// with an ssh that its keys are known to.
func startSSHD(c *fleettest.Cluster, h *lab.Host) (bin string) {
	c.T.Helper()
	dir := c.T.TempDir()
	for _, key := range []string{"host", "user"} {
		out, err := exec.CommandContext(c.T.Context(), "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(dir, key)).CombinedOutput()
		if err != nil {
			c.T.Fatalf("make a key: %v\n%s", err, out)
		}
	}
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		c.Must(os.WriteFile(path, []byte(text), mode))
		return path
	}
	public, err := os.ReadFile(filepath.Join(dir, "user.pub"))
	c.Must(err)
	write("authorized", string(public), 0o600)
	// sshd gives a session no PATH of ours: a login shell's has the program.
	server := write("sshd_config", strings.ReplaceAll(`HostKey DIR/host
AuthorizedKeysFile DIR/authorized
PidFile DIR/sshd.pid
StrictModes no
UsePAM no
PermitRootLogin yes
SetEnv PATH=DIR/bin:/usr/bin:/bin
`, "DIR", dir), 0o600)
	bin = filepath.Join(dir, "bin")
	c.Must(os.Mkdir(bin, 0o755))
	c.Must(os.Symlink(ring.Options.Binary, filepath.Join(bin, "muster")))
	write("bin/ssh", "#!/bin/sh\nexec /usr/bin/ssh -F none -i "+dir+"/user -o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile="+
		dir+"/known -o LogLevel=ERROR \"$@\"\n", 0o755)

	if r := h.Exec(c.T.Context(), "sh", "-c", "mkdir -p /run/sshd && /usr/sbin/sshd -f "+server+" -p 2222 -E "+dir+"/sshd.log"); r.ExitCode != 0 {
		c.T.Fatalf("start sshd: %s%s", r.Stdout, r.Stderr)
	}
	c.T.Cleanup(func() {
		if r := h.Exec(context.WithoutCancel(c.T.Context()), "sh", "-c", "kill $(cat "+dir+"/sshd.pid)"); r.ExitCode != 0 {
			c.T.Logf("stop sshd: %s", r.Stderr)
		}
	})
	return bin
}
