package filter

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// A user who may not write rules is told so, and nothing is promised.
func TestWithoutTheRight(t *testing.T) {
	if os.Geteuid() == 0 {
		cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run", "^TestWithoutTheRight$")
		cmd.Env, cmd.Dir = []string{inSpace + "=1"}, "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("as nobody: %v\n%s", err, out)
		}
		return
	}
	f := New(Config{})
	defer f.Close(true)
	f.Set(example())
	must(t, f.Settle(t.Context()))
	if f.Effective() || f.Virtual() {
		t.Error("it says that the kernel holds the rules")
	}
	if all := f.Problems(); len(all) != 1 || !strings.Contains(all[0], "run the data plane as root or with CAP_NET_ADMIN") {
		t.Errorf("problems: %q", all)
	}
}
