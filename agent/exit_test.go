package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/musterhq/muster/agent/hoststats"
	"github.com/musterhq/muster/configs"
	"github.com/musterhq/muster/consensus"
	"github.com/musterhq/muster/runtime/fake"
)

// hungDir names the data directory in the environment of a process that plays an
// agent whose disk hangs.
const hungDir = "MUSTER_TEST_HUNG_DIR"

// What such a process exits with, but for the hard exit's 1.
const (
	exitBroken  = 3 // it came to nothing
	exitInOrder = 4 // the agent ended without it
)

// An agent whose disk hangs leaves, although a part of it never ends: the process
// exits with an error, for its unit to start it again.
func TestAgentLeavesAHungDisk(t *testing.T) {
	if dir := os.Getenv(hungDir); dir != "" {
		os.Exit(hungAgent(dir))
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute) // without the exit it never ends
	defer cancel()
	cmd := exec.CommandContext(ctx, exe, "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), hungDir+"="+t.TempDir())
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	err = cmd.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("it ended with %v, not with exit code 1", err)
	}
	for _, want := range []string{"the agent cannot go on: it leaves, to be started again", consensus.ErrStoreHung.Error()} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("it does not say %q", want)
		}
	}
	if t.Failed() {
		t.Log(log.String())
	}
}

// stuckStats is a machine that stops to answer.
type stuckStats struct{ hangs *atomic.Bool }

func (stuckStats) Capacity(context.Context) (milliCPU, memBytes int64, err error) {
	return 4000, 8 << 30, nil
}

func (s stuckStats) Sample(context.Context) (hoststats.Usage, error) {
	if s.hangs.Load() {
		select {} // as in a system call: no context ends it
	}
	return hoststats.Usage{}, nil
}

// hungAgent is an agent of a cluster of its own whose disk hangs soon.
func hungAgent(dir string) int {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	cfg := configs.Default()
	cfg.DataDir, cfg.Socket, cfg.Advertise, cfg.Name = dir, filepath.Join(dir, "s"), "127.0.0.1", "n1"
	var err error
	if cfg.Port, err = freePort(); err == nil {
		cfg.GossipPort, err = freePort()
	}
	if err != nil {
		log.Error("find ports", "error", err)
		return exitBroken
	}
	disk, hangs := consensus.NewMemory(), new(atomic.Bool)
	host := Host{Engine: fake.New(fake.Config{}), Stats: stuckStats{hangs}, Listen: listen, Exit: func() { os.Exit(1) }, Log: disk}
	go func() {
		if err := initAt(cfg.Socket); err != nil {
			log.Error("make a cluster", "error", err)
			os.Exit(exitBroken)
		}
		hangs.Store(true)
		disk.SlowDown(time.Hour)
	}()
	if err := RunOn(context.Background(), host, cfg, "test", log); err != nil {
		log.Error("the agent ended", "error", err)
	}
	return exitInOrder
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

// initAt makes a cluster of the agent behind a socket, once it is up.
func initAt(socket string) error {
	cl := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		answer, err := cl.Post("http://agent/v1/init", "application/json", strings.NewReader("{}"))
		if err != nil {
			<-tick.C // it is not up yet
			continue
		}
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			said, _ := io.ReadAll(answer.Body)
			return fmt.Errorf("%s: %s", answer.Status, said)
		}
		return nil
	}
}
