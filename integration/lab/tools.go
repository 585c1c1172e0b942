//go:build linux

package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// toolPath is the whole PATH of the lab and of everything in its hosts.
const toolPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Available says why no lab can be made here, or nil.
func Available() error {
	if os.Geteuid() != 0 {
		return errors.New("the lab needs root: it makes network namespaces and runs Docker engines")
	}
	var missing []string
	for _, name := range []string{"dockerd", "containerd", "runc", "ip", "iptables", "mount", "sleep", "sh"} {
		if _, err := find(name); err != nil {
			missing = append(missing, name)
		}
	}
	if _, err := findInit(); err != nil {
		missing = append(missing, "docker-init")
	}
	if len(missing) > 0 {
		return fmt.Errorf("the lab lacks %s: run integration/lab/install/install.sh", strings.Join(missing, ", "))
	}
	if _, err := findCgroups(); err != nil {
		return err
	}
	return nil
}

// find looks a program up as the hosts will, whatever PATH the caller has.
func find(name string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	for _, dir := range filepath.SplitList(toolPath) {
		if path, err := executable(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is not in %s", name, toolPath)
}

// executable makes path absolute, which is what it has to be inside a host, and
// checks that it is a program.
func executable(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
		return "", fmt.Errorf("%s is not an executable file", path)
	}
	return path, nil
}

// findInit finds the reaper that is process 1 of a host.
func findInit() (string, error) {
	if path, err := find("docker-init"); err == nil {
		return path, nil
	}
	return find("tini")
}

// run runs a short command in the machine's own namespaces.
func run(ctx context.Context, stdin string, name string, args ...string) error {
	path, err := find(name)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = []string{"PATH=" + toolPath}
	cmd.Stdin = strings.NewReader(stdin)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(out.String()))
	}
	return nil
}
