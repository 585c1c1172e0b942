package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	goruntime "runtime"
	"strings"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/api/server"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/configs"
	"github.com/musterhq/muster/security"
)

// shutdownTimeout bounds how long calls in flight may hold up the end.
const shutdownTimeout = 3 * time.Second

// leaveTimeLimit is how long the end of an agent that cannot go on may take.
const leaveTimeLimit = 5 * time.Second

// Agent is the daemon of one host.
type Agent struct {
	cfg     configs.Config
	version string
	log     *slog.Logger
	data    *dataDir
	nodeID  cluster.NodeID
	name    string
	host    Host
	// networkKey is the host's public key; "" where it is in no networks.
	networkKey string
	server     *server.Server
	failed     chan error // the first reason why the process must leave
	// expelled is a member that the cluster says was removed.
	expelled chan *member

	facts  lastFacts // of the newest checkup
	moving turn      // of entering or leaving a cluster
	// founding is set, by who has the turn, while this host makes a cluster: its
	// log has every right to be empty.
	founding bool
	member   *member // nil while idle; read and written by who has the turn
}

// Run runs the agent until ctx ends or it cannot go on. Containers are left
// running: the next agent adopts them.
func Run(ctx context.Context, cfg configs.Config, version string, log *slog.Logger) error {
	host, err := ThisHost(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { _ = host.Engine.Close() }()
	raisePriority(log)
	raiseOpenFiles(log)
	slackenTimers(log)
	return RunOn(ctx, host, cfg, version, log)
}

// RunOn is Run on a host of the caller's.
func RunOn(ctx context.Context, host Host, cfg configs.Config, version string, log *slog.Logger) error {
	data, err := openData(cfg.DataDir)
	if err != nil {
		return err
	}
	defer data.close()
	before, err := data.claim(version, host.commands())
	switch {
	case err != nil:
		return err
	case before != "" && before != version:
		log.Info("another version had the data directory before; it holds nothing that this one does not know", "before", before, "now", version)
	}
	a := &Agent{cfg: cfg, version: version, log: log, data: data, host: host, failed: make(chan error, 1), expelled: make(chan *member, 1), moving: newTurn()}
	if a.nodeID, err = data.nodeID(); err != nil {
		return err
	}
	if host.Networks != nil {
		if a.networkKey, err = host.Networks.Key(data.path); err != nil {
			return err
		}
	}
	if a.name, err = nodeName(cfg.Name); err != nil {
		return err
	}
	if err := a.checkReserved(ctx); err != nil {
		return err
	}
	a.server = server.New(a.apiVersion(), a, log.With("part", "api"))
	socket, err := host.Listen("unix", cfg.Socket)
	if err != nil {
		return err
	}
	defer a.serve(socket, a.server.LocalHandler())()
	if err := a.resume(ctx); err != nil {
		return err
	}
	defer a.stopMember()
	log.Info("agent is up", "node", a.nodeID, "name", a.name, "version", version)
	for {
		select {
		case <-ctx.Done():
			log.Info("agent stops; containers run on")
			return nil
		case m := <-a.expelled:
			a.expel(m)
		case err := <-a.failed:
			log.Error("the agent cannot go on: it leaves, to be started again; containers run on", "error", err)
			if host.Exit != nil { // what waits for a hung disk would hold up the end for ever
				time.AfterFunc(leaveTimeLimit, host.Exit)
			}
			return fmt.Errorf("the agent cannot go on: %w", err)
		}
	}
}

func (a *Agent) apiVersion() api.Version {
	return api.Version{Version: a.version, Go: goruntime.Version(), OS: goruntime.GOOS, Arch: goruntime.GOARCH}
}

// nodeName is the configured name, or the host's first label made valid.
func nodeName(name string) (string, error) {
	if name == "" {
		host, err := os.Hostname()
		if err != nil {
			return "", fmt.Errorf("find the host's name: %w; start the agent with --name", err)
		}
		name, _, _ = strings.Cut(strings.ToLower(host), ".")
	}
	if err := cluster.ValidateName("name", name); err != nil {
		return "", err
	}
	return name, nil
}

// fail makes Run return; only the first reason counts.
func (a *Agent) fail(err error) {
	select {
	case a.failed <- err:
	default:
	}
}

// resume goes on as the member that this host was.
func (a *Agent) resume(ctx context.Context) error {
	id, err := security.LoadIdentity(a.data.identityDir())
	if errors.Is(err, os.ErrNotExist) {
		a.log.Info("this host is in no cluster; run `muster init` or `muster join`")
		return nil
	}
	if err != nil {
		return fmt.Errorf("load this node's identity: %w", err)
	}
	if cluster.NodeID(id.NodeID) != a.nodeID {
		return fmt.Errorf("the identity in %s is of node %s, this host is %s: the data directory was mixed up; restore it or remove it and join again",
			a.data.identityDir(), id.NodeID, a.nodeID)
	}
	a.moving.wait()
	defer a.moving.done()
	m, err := startMember(ctx, a, id)
	if err != nil {
		return err
	}
	a.member = m
	return nil
}

func (a *Agent) stopMember() {
	a.moving.wait()
	defer a.moving.done()
	if a.member != nil {
		a.member.stop()
		a.member = nil
	}
}

// Local describes this host's agent.
func (a *Agent) Local() api.Local {
	out := api.Local{NodeID: string(a.nodeID), Name: a.name, Role: "idle", Version: a.version}
	if !a.moving.try() { // the host is entering or leaving a cluster
		return out
	}
	defer a.moving.done()
	if m := a.member; m != nil {
		out.ClusterID, out.Role = m.identity.Load().ClusterID, "worker"
		if m.voter.Load() != nil {
			out.Role = "voter"
			if m.LeaderID() == a.nodeID {
				out.Role = "leader"
			}
		}
		out.Members, out.Heard, out.Backends = m.knows()
	}
	return out
}
