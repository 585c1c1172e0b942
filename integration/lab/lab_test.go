//go:build linux

package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// TestMain lets the test binary stand in for other programs: see standin_test.go.
func TestMain(m *testing.M) {
	if standIn() {
		return
	}
	goleak.VerifyTestMain(m)
}

func needLab(t *testing.T) {
	t.Helper()
	if err := Available(); err != nil {
		t.Skip(err)
	}
	if testing.Short() {
		t.Skip("the lab is left out of -short runs")
	}
}

// newLab makes a lab that is closed, and checked to be gone, at the test's end.
func newLab(t *testing.T, opts Options) *Lab {
	t.Helper()
	needLab(t)
	opts.Name, opts.Log = strings.ToLower(t.Name()), t.Output()
	l, err := New(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		for _, trace := range traces(t) {
			t.Errorf("left behind: %s", trace)
		}
		if exists(l.Dir) {
			t.Errorf("left behind: %s", l.Dir)
		}
	})
	return l
}

func startHosts(t *testing.T, l *Lab, n int) []*Host {
	t.Helper()
	hosts, err := l.StartHosts(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	return hosts
}

// traces lists what a lab leaves on a machine if it is not closed.
func traces(t *testing.T) []string {
	t.Helper()
	var found []string
	for _, pattern := range []string{netnsDir + "/" + netnsPrefix + "*", "/sys/class/net/" + linkPrefix + "*"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, paths...)
	}
	mounts, err := readMounts()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mounts {
		if m.source == mountSource {
			found = append(found, "mount "+m.target)
		}
		if strings.HasPrefix(m.kind, "cgroup") && exists(filepath.Join(m.target, cgroupTree)) {
			found = append(found, filepath.Join(m.target, cgroupTree))
		}
	}
	for _, rule := range bridgeRules {
		if run(t.Context(), "", "iptables", append([]string{"-w", "-C"}, rule...)...) == nil {
			found = append(found, "rule "+strings.Join(rule, " "))
		}
	}
	return found
}

// runHello starts the example program on h with its port published as 8080.
func runHello(t *testing.T, h *Host, name string) {
	t.Helper()
	body := map[string]any{
		"Image":        Hello,
		"Labels":       map[string]string{"lab.test": name},
		"Env":          []string{"MUSTER_TASK=" + name, "MUSTER_NODE_NAME=" + h.Name},
		"ExposedPorts": map[string]any{"80/tcp": map[string]any{}},
		"HostConfig":   map[string]any{"PortBindings": map[string]any{"80/tcp": []map[string]string{{"HostPort": "8080"}}}},
	}
	if err := h.ask(t.Context(), http.MethodPost, "/containers/create?name="+name, body, nil); err != nil {
		t.Fatal(err)
	}
	startContainer(t, h, name)
}

func startContainer(t *testing.T, h *Host, name string) {
	t.Helper()
	if err := h.ask(t.Context(), http.MethodPost, "/containers/"+name+"/start", nil, nil); err != nil {
		t.Fatal(err)
	}
}

// waitAnswer waits until h answers on its published port and returns the line.
func waitAnswer(t *testing.T, h *Host) string {
	t.Helper()
	var line string
	err := poll(t.Context(), 20*time.Millisecond, func() (bool, error) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		status, body, err := h.lab.Get(ctx, "http://"+h.Addr+":8080/")
		line = body
		return err == nil && status == http.StatusOK, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return line
}

// dial tries the port of the address from inside a host, or from outside (nil).
func dial(t *testing.T, addr string) error {
	t.Helper()
	c, err := (&net.Dialer{Timeout: 500 * time.Millisecond}).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		return err
	}
	return c.Close()
}

// silent is the error of a dial that nobody answered, as against a refusal.
func silent(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

func TestLab(t *testing.T) {
	l := newLab(t, Options{})
	hosts := startHosts(t, l, 2)
	n1, n2 := hosts[0], hosts[1]
	if err := l.LoadHello(t.Context()); err != nil {
		t.Fatal(err)
	}
	runHello(t, n1, "one")

	if line := waitAnswer(t, n1); !strings.Contains(line, "task=one node=n1 version=1") {
		t.Errorf("the published port answers %q", line)
	}
	if r := n2.Exec(t.Context(), "cat", "/proc/sys/kernel/hostname"); r.Stdout != "n2\n" {
		t.Errorf("n2 calls itself %+v", r)
	}
	checkSameImage(t, hosts)
	checkContainers(t, n1)

	if err := n1.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := dial(t, n1.Addr+":8080"); !silent(err) {
		t.Errorf("a dead host is not silent: %v", err)
	}
	if r := n1.Exec(t.Context(), "true"); r.ExitCode != -1 {
		t.Errorf("a dead host runs programs: %+v", r)
	}
	if _, err := n2.Containers(t.Context()); err != nil {
		t.Errorf("the other host: %v", err)
	}

	if err := n1.Boot(t.Context()); err != nil {
		t.Fatal(err)
	}
	c, err := n1.Inspect(t.Context(), "one")
	if err != nil || c.State != "exited" {
		t.Errorf("after the boot the container is %+v, %v", c, err)
	}
	startContainer(t, n1, "one")
	waitAnswer(t, n1)
}

func checkSameImage(t *testing.T, hosts []*Host) {
	t.Helper()
	ids := map[string][]string{}
	for _, h := range hosts {
		var image struct{ ID string }
		if err := h.ask(t.Context(), http.MethodGet, "/images/"+Hello+"/json", nil, &image); err != nil {
			t.Fatal(err)
		}
		ids[image.ID] = append(ids[image.ID], h.Name)
	}
	if len(ids) != 1 {
		t.Errorf("one archive gives several image IDs: %v", ids)
	}
}

func checkContainers(t *testing.T, h *Host) {
	t.Helper()
	cs, err := h.Containers(t.Context(), "lab.test=one")
	if err != nil || len(cs) != 1 {
		t.Fatalf("list: %v, %v", cs, err)
	}
	if c := cs[0]; c.Name != "one" || c.State != "running" || len(c.Ports) == 0 || c.Ports[0].PublicPort != 8080 {
		t.Errorf("list: %+v", c)
	}
	c, err := h.Inspect(t.Context(), "one")
	if err != nil || c.ID != cs[0].ID || c.StartedAt.IsZero() {
		t.Errorf("inspect: %+v, %v", c, err)
	}
	none, err := h.Containers(t.Context(), "lab.test=two")
	if err != nil || len(none) != 0 {
		t.Errorf("list by another label: %v, %v", none, err)
	}
}

func TestLinks(t *testing.T) {
	l := newLab(t, Options{})
	hosts := startHosts(t, l, 2)
	n1, n2 := hosts[0], hosts[1]
	if err := l.LoadHello(t.Context(), n1); err != nil {
		t.Fatal(err)
	}
	runHello(t, n1, "one")
	waitAnswer(t, n1)

	if err := n1.Cut(); err != nil {
		t.Fatal(err)
	}
	if err := dial(t, n1.Addr+":8080"); !silent(err) {
		t.Errorf("a host that is cut off: %v", err)
	}
	if c, err := n1.Inspect(t.Context(), "one"); err != nil || c.State != "running" {
		t.Errorf("a cut changed the container: %+v, %v", c, err)
	}
	if err := n1.Heal(t.Context()); err != nil {
		t.Fatal(err)
	}
	waitAnswer(t, n1)

	// n1 no longer hears outside; it still hears n2.
	if err := n1.DropOutside(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := dial(t, n1.Addr+":8080"); !silent(err) {
		t.Errorf("one-way loss towards the host: %v", err)
	}
	if r := ping(t, n2, n1.Addr); r.ExitCode != 0 {
		t.Errorf("one-way loss hit another path: %+v", r)
	}
	if err := n1.Heal(t.Context()); err != nil {
		t.Fatal(err)
	}
	waitAnswer(t, n1)

	if err := n2.Drop(t.Context(), n1); err != nil {
		t.Fatal(err)
	}
	if r := ping(t, n2, n1.Addr); r.ExitCode == 0 {
		t.Error("n2 hears n1, whose packets it drops")
	}
	waitAnswer(t, n1)
}

// ping reaches from one host for the published port of another.
func ping(t *testing.T, from *Host, addr string) Result {
	t.Helper()
	return from.Exec(t.Context(), "bash", "-c", fmt.Sprintf("exec timeout 1 bash -c ': >/dev/tcp/%s/8080'", addr))
}

func TestDocker(t *testing.T) {
	l := newLab(t, Options{})
	h := startHosts(t, l, 1)[0]
	if err := l.LoadHello(t.Context()); err != nil {
		t.Fatal(err)
	}
	runHello(t, h, "one")
	waitAnswer(t, h)

	if err := h.PauseDocker(); err != nil {
		t.Fatal(err)
	}
	if h.dockerAnswers(t.Context()) {
		t.Error("a paused engine answers")
	}
	waitAnswer(t, h)
	if err := h.ContinueDocker(); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Containers(t.Context()); err != nil {
		t.Error(err)
	}

	if err := h.KillDocker(t.Context()); err != nil {
		t.Fatal(err)
	}
	waitAnswer(t, h) // containers need no engine
	if err := h.StartDocker(t.Context()); err != nil {
		t.Fatal(err)
	}
	if c, err := h.Inspect(t.Context(), "one"); err != nil || c.State != "exited" {
		t.Errorf("under the next engine the container is %+v, %v", c, err)
	}
	if err := h.StopDocker(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := dial(t, h.Addr+":8080"); err == nil || silent(err) {
		t.Errorf("a host without an engine must refuse: %v", err)
	}

	// A hung engine must not keep a host from dying.
	if err := h.StartDocker(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := h.PauseDocker(); err != nil {
		t.Fatal(err)
	}
	if err := h.Kill(); err != nil {
		t.Fatal(err)
	}
}

func TestFillDisk(t *testing.T) {
	l := newLab(t, Options{SmallDisk: 1 << 20})
	h := startHosts(t, l, 1)[0]
	data := filepath.Join(h.DataDir, "kept")
	if err := os.WriteFile(data, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := h.FillDisk(); err != nil {
		t.Fatal(err)
	}
	more := func() error { return os.WriteFile(filepath.Join(h.DataDir, "more"), []byte("y"), 0o600) }
	if err := more(); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("a write to a full disk: %v", err)
	}
	if err := h.FreeDisk(); err != nil {
		t.Fatal(err)
	}
	if err := more(); err != nil {
		t.Errorf("a write to the freed disk: %v", err)
	}
	if err := errors.Join(h.Kill(), h.Boot(t.Context())); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(data); err != nil || string(b) != "x" {
		t.Errorf("the disk did not outlast a power loss: %q, %v", b, err)
	}
}
