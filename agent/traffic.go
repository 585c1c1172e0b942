package agent

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/musterhq/muster/configs"
	"github.com/musterhq/muster/dataplane"
	"github.com/musterhq/muster/lb/proxy"
)

// traffic is what carries this host's traffic: a process of its own, or the agent.
type traffic interface {
	Set(t dataplane.Table) // the newest one counts
	Served() (epoch, index uint64, ok bool)
	Problems() []string
	Stats() []proxy.ServiceStats
	Close()
}

// DataPlane is how an agent reaches the process that carries its host's traffic.
type DataPlane struct {
	Socket  string
	Program string       // the agent's: a data plane of another version is replaced by it
	Start   func() error // nil: somebody else does
}

// dataPlaneOf is the host's, nil where the agent carries the traffic itself.
func dataPlaneOf(cfg configs.Config) (*DataPlane, error) {
	if cfg.DataPlane == configs.DataPlaneInside {
		return nil, nil
	}
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find the program of the data plane: %w", err)
	}
	out := &DataPlane{Socket: cfg.DataPlaneSocket(), Program: program}
	if cfg.DataPlane == configs.DataPlaneAuto {
		out.Start = func() error { return startDataPlane(program, cfg) }
	}
	return out, nil
}

// startDataPlane starts a process that outlives this one.
func startDataPlane(program string, cfg configs.Config) error {
	cmd := exec.Command(program, "dataplane", "--alone",
		"--data-dir", cfg.DataDir, "--socket", cfg.Socket, "--log-format", cfg.LogFormat, "--log-level", cfg.LogLevel)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the data plane: %w", err)
	}
	go func() { _ = cmd.Wait() }() // it says itself why it ended
	return nil
}

func (m *member) newTraffic() traffic {
	log := m.log.With("part", "traffic")
	d := m.a.host.DataPlane
	if d == nil {
		plane := dataplane.PlaneConfig{Listen: m.a.host.Publish, MaxTotal: clientsAllowed(openFiles()), Logger: log}
		if m.a.host.Networks != nil {
			plane.Networks = dataplane.OpenNetworks(m.a.data.path, nil, log)
		}
		return dataplane.NewPlane(plane)
	}
	return dataplane.Connect(dataplane.ClientConfig{Socket: d.Socket, Version: m.a.version, Program: d.Program, Start: d.Start, Logger: log, Served: m.uplink.hurry})
}

// clearTrafficLimit bounds the wait for a data plane that does not answer.
const clearTrafficLimit = 5 * time.Second

// clearTraffic ends the traffic of a host that is in no cluster any more.
func (a *Agent) clearTraffic() {
	if a.host.DataPlane == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), clearTrafficLimit)
	defer cancel()
	if err := dataplane.Clear(ctx, a.host.DataPlane.Socket); err != nil {
		a.log.Warn("the data plane may still serve the ports of the cluster that this host has left", "error", err)
	}
}

// DataPlaneStart is how a data plane was started; see its command line.
type DataPlaneStart struct {
	Args           []string
	Alone, Inherit bool
}

// RunDataPlane runs this host's data plane until ctx ends or another one goes on.
func RunDataPlane(ctx context.Context, cfg configs.Config, how DataPlaneStart, version string, log *slog.Logger) error {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	raisePriority(log)
	raiseOpenFiles(log)
	slackenTimers(log)
	signal.Ignore(syscall.SIGPIPE) // who read its log may have gone with the agent
	return dataplane.Run(ctx, dataplane.Config{
		Dir: cfg.DataDir, Socket: cfg.DataPlaneSocket(), Version: version,
		Program: program, Args: how.Args, Alone: how.Alone, Inherit: how.Inherit,
		MaxTotal: clientsAllowed(openFiles()), Networks: true, Logger: log.With("part", "traffic"),
		Notify: func(state string) { _, _ = daemon.SdNotify(false, state) }, // nobody is told where nobody asked
	})
}
