package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/musterhq/muster/agent/gossip"
	"github.com/musterhq/muster/agent/hoststats"
	"github.com/musterhq/muster/agent/peer"
	"github.com/musterhq/muster/cluster/state"
	"github.com/musterhq/muster/configs"
	"github.com/musterhq/muster/consensus"
	"github.com/musterhq/muster/runtime"
	"github.com/musterhq/muster/runtime/docker"
)

// Host is what an agent touches of the machine it runs on. Tests that run in
// virtual time give one of their own.
type Host struct {
	Engine runtime.Driver
	Stats  Stats
	// Devices are those that tasks are given, and Bandwidth is the network's, in
	// bits a second; 0: not known.
	Devices   []runtime.Device
	Bandwidth int64
	// Listen opens the local socket ("unix") and the API port ("tcp").
	Listen func(network, address string) (net.Listener, error)
	// DataPlane carries the traffic; nil: the agent does.
	DataPlane *DataPlane
	// Networks joins the host to networks across hosts; nil: it is in none.
	Networks *Networks
	// Publish opens the ports that services publish where the agent carries the
	// traffic; nil: on the network.
	Publish func(network, address string) (net.Listener, error)
	Exit    func()            // ends the process at once; nil: nothing does
	Dial    peer.Dialer       // nil: the network
	Gossip  gossip.Transport  // nil: the network
	Log     *consensus.Memory // nil: the data directory
	// Commands is the newest version of commands that the agent applies; 0:
	// all that there are. Less is how tests play an older binary.
	Commands int
	// CertLife is how long the certificates that the agent signs are valid; 0: a year.
	CertLife time.Duration
}

func (h Host) certLife() time.Duration { return cmp.Or(h.CertLife, certTTL) }

func (h Host) commands() int {
	if h.Commands > 0 {
		return h.Commands
	}
	return state.Version
}

// dial opens a connection that is not one between members: a probe, a request
// to join.
func (h Host) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if h.Dial != nil {
		return h.Dial(ctx, network, address)
	}
	var d net.Dialer
	return d.DialContext(ctx, network, address)
}

// forgetLog removes this node's part of the replicated log. Its store is closed.
func (a *Agent) forgetLog() error {
	if a.host.Log != nil {
		a.host.Log.Forget()
	}
	if err := a.data.remove("consensus", ballastFile); err != nil {
		return err
	}
	return a.data.lower()
}

// Stats measures a host.
type Stats interface {
	Capacity(ctx context.Context) (milliCPU, memBytes int64, err error)
	Sample(ctx context.Context) (hoststats.Usage, error)
}

// ThisHost is the machine that the process runs on. The caller closes its Engine.
func ThisHost(ctx context.Context, cfg configs.Config) (Host, error) {
	hardware := hoststats.Hardware{}
	devices, files := findDevices(cfg, hardware)
	engine, err := docker.New(docker.Config{
		Host: cfg.DockerHost, Protected: []string{cfg.DataDir, cfg.Socket, cfg.DataPlaneSocket()}, Counted: files,
	})
	if err != nil {
		return Host{}, err
	}
	stats, err := hoststats.New(ctx)
	if err != nil {
		return Host{}, err
	}
	traffic, err := dataPlaneOf(cfg)
	if err != nil {
		return Host{}, err
	}
	return Host{
		DataPlane: traffic, Networks: networksOf(traffic), Engine: engine, Stats: stats, Devices: devices, Bandwidth: hardware.Bandwidth(),
		Listen: listen, Exit: func() { os.Exit(1) },
	}, nil
}

func listen(network, address string) (net.Listener, error) {
	if network == "unix" {
		return listenSocket(address)
	}
	l, err := net.Listen(network, address)
	if err != nil {
		return nil, fmt.Errorf("open the API port: %w; stop what uses it or start the agent with another --port", err)
	}
	return l, nil
}

// listenSocket opens the local socket with a mode that lets only its owner in.
// The data directory's lock is held: a socket that is there is a leftover,
// unless an agent with another data directory listens on it.
func listenSocket(path string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("open the local socket: %w", err)
	}
	if conn, err := net.Dial("unix", path); err == nil {
		_ = conn.Close()
		return nil, fmt.Errorf("open the local socket: another agent listens on %s; stop it or use another --socket", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("open the local socket: %w", err)
	}
	old := umask(0o177)
	defer umask(old)
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("open the local socket: %w", err)
	}
	return l, nil
}
