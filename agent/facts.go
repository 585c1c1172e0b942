package agent

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"sync"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
	"github.com/musterhq/muster/runtime"
)

// usageEvery is the pace of measuring this host.
const usageEvery = 2 * time.Second

// describe is this host as its agent knows it.
func (a *Agent) describe(ctx context.Context, address string) (cluster.Node, error) {
	n, err := a.describeHost(ctx, address)
	if err != nil {
		return n, err
	}
	if err := a.askEngine(ctx, &n); err != nil {
		n.EngineError = engineFailure(err)
	}
	return a.told(n), nil
}

// told is a host as an agent that applies no newer commands tells of it.
func (a *Agent) told(n cluster.Node) cluster.Node {
	return state.Trim(state.JoinNode{Node: n}, a.host.commands()).Node
}

// describeHost is this host without its engine.
func (a *Agent) describeHost(ctx context.Context, address string) (cluster.Node, error) {
	n := cluster.Node{
		ID: a.nodeID, Name: a.name, Address: address, APIPort: a.cfg.Port, GossipPort: a.cfg.GossipPort,
		Labels: a.cfg.Labels, Version: a.version, Commands: a.host.commands(),
	}
	milli, mem, err := a.host.Stats.Capacity(ctx)
	if err != nil {
		return n, fmt.Errorf("measure this host: %w", err)
	}
	n.Devices = a.host.devicesHere()
	n.Capacity = a.capacity(cluster.Resources{MilliCPU: milli, Memory: mem, Bandwidth: a.host.Bandwidth, MilliGPU: gpus(n.Devices)})
	if a.host.Networks == nil {
		return n, nil
	}
	n.NetworkKey, n.NetworkPort = a.networkKey, uint16(a.cfg.NetworkPort)
	n.Routes, err = a.host.Networks.Routes()
	return n, err
}

// advertise is the IP that others reach this host at: the configured one, or
// the one that the kernel would use towards the given members.
func (a *Agent) advertise(members []api.Member) (string, error) {
	if a.cfg.Advertise != "" {
		return a.cfg.Advertise, nil
	}
	for _, m := range members {
		if m.ID != a.nodeID {
			return sourceTo(m.HostPort())
		}
	}
	for _, m := range members {
		if m.ID == a.nodeID {
			return m.Address, nil
		}
	}
	return sourceTo("192.0.2.1:9") // TEST-NET-1 (RFC 5737): the default route's address; nothing is sent
}

func sourceTo(hostPort string) (string, error) {
	conn, err := net.Dial("udp", hostPort)
	if err != nil {
		return "", fmt.Errorf("find this host's address: %w; start the agent with --advertise IP", err)
	}
	defer func() { _ = conn.Close() }()
	return conn.LocalAddr().(*net.UDPAddr).IP.String(), nil
}

// Pace of announcing this host to the leader.
const (
	announceEvery = time.Minute // a leader of an older version passes over what it does not know
	announceHeld  = 5 * time.Second
)

// announce tells the leader what this host is, until it has heard it all, and
// again whenever the engine's state changes.
func (u *uplink) announce(ctx context.Context) {
	var told cluster.Node
	var at time.Time
	for ctx.Err() == nil {
		var out api.NodeUpdated
		n, err := u.m.describe(ctx, told)
		if err == nil && (!reflect.DeepEqual(n, told) || time.Since(at) >= announceEvery) {
			err = u.call(ctx, "/v1/node/update", api.NodeUpdate{
				ID: n.ID, Address: n.Address, APIPort: n.APIPort, GossipPort: n.GossipPort, Labels: n.Labels,
				EngineLabels: n.EngineLabels, OS: n.OS, Arch: n.Arch, EngineVersion: n.EngineVersion,
				Version: n.Version, Commands: n.Commands, Capacity: n.Capacity, EngineError: n.EngineError, Devices: n.Devices,
				NetworkKey: n.NetworkKey, NetworkPort: n.NetworkPort, Routes: n.Routes,
			}, &out)
			at = time.Now()
		}
		if err != nil {
			u.m.log.Debug("announce this node", "error", err)
			sleep(ctx, heartbeatEvery)
			continue
		}
		told = n
		pause := announceEvery
		if out.Held {
			told, pause = cluster.Node{}, announceHeld
		}
		t := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-u.m.engine.changed:
		case <-t.C:
		}
		t.Stop()
	}
}

// describe is this host as the leader shall know it now. An engine that failed
// is not waited for, and what it said before still holds; one that only this
// call failed of is asked again.
func (m *member) describe(ctx context.Context, told cluster.Node) (cluster.Node, error) {
	n, err := m.a.describeHost(ctx, m.address)
	if err != nil {
		return n, err
	}
	failure, watched := m.engine.verdict()
	if failure == "" {
		err := m.a.askEngine(ctx, &n)
		switch {
		case err == nil:
			return m.a.told(n), nil
		case watched:
			return n, err
		}
		failure = engineFailure(err)
	}
	n.OS, n.Arch, n.EngineVersion, n.EngineLabels = told.OS, told.Arch, told.EngineVersion, told.EngineLabels
	n.Capacity.Disk = told.Capacity.Disk
	n.EngineError = failure
	return m.a.told(n), nil
}

// usage is what this host uses, measured at most every usageEvery.
func (m *member) usage() *api.Usage {
	m.sampled.mu.Lock()
	defer m.sampled.mu.Unlock()
	if time.Since(m.sampled.at) < usageEvery {
		return m.sampled.usage
	}
	m.sampled.at = time.Now()
	ctx, cancel := context.WithTimeout(m.ctx, heartbeatEvery)
	defer cancel()
	s, err := m.a.host.Stats.Sample(ctx)
	if err != nil {
		m.log.Debug("measure this host", "error", err)
		m.sampled.usage = nil
		return nil
	}
	m.sampled.usage = &api.Usage{MilliCPU: s.CPUMilli, Memory: s.MemoryUsed}
	return m.sampled.usage
}

// sampledUsage is the newest measurement.
type sampledUsage struct {
	mu    sync.Mutex
	at    time.Time
	usage *api.Usage
}

// login asks the leader for a registry's credential; nil where there is none.
func (m *member) login(ctx context.Context, server string) *runtime.Login {
	leader := m.LeaderID()
	if leader == "" || server == "" {
		return nil
	}
	var out api.RegistryLogin
	if m.peers.Call(ctx, leader, http.MethodGet, "/v1/node/login?server="+url.QueryEscape(server), nil, &out) != nil {
		return nil
	}
	return &runtime.Login{Server: server, Username: out.Username, Password: out.Password, IdentityToken: out.IdentityToken}
}
