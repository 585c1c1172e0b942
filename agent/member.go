package agent

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/musterhq/muster/agent/gossip"
	"github.com/musterhq/muster/agent/images"
	"github.com/musterhq/muster/agent/metrics"
	"github.com/musterhq/muster/agent/peer"
	"github.com/musterhq/muster/agent/probe"
	"github.com/musterhq/muster/agent/worker"
	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/api/server"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/security"
)

// member is what runs while this host is in a cluster.
type member struct {
	*known
	a        *Agent
	log      *slog.Logger
	self     cluster.NodeID
	address  string // IP that the others reach this host at
	identity atomic.Pointer[security.Identity]
	voter    atomic.Pointer[voter] // nil on a worker
	voting   turn                  // while the node becomes a voter or ceases to be one
	rolled   chan struct{}         // wakes the feed when it did
	trust    trustWatch
	raftIn   raftStreams

	peers     *peer.Pool
	mux       *security.Mux
	gossip    *gossip.Gossip
	images    imagesOf
	collector *images.Collector
	worker    *worker.Worker
	traffic   traffic
	tables    sync.Mutex   // held while traffic gets one
	given     api.Position // of the newest table; under tables
	uplink    *uplink

	engine  engineWatch
	disk    diskWatch
	sampled sampledUsage
	meter   taskMeter
	gauge   gauge
	held    news[api.HeldImages]

	ctx     context.Context
	cancel  context.CancelFunc
	jobs    sync.WaitGroup
	closers []func() // in the order of starting; run in reverse
}

// startMember starts everything that a member runs, in the order in which the
// parts need each other.
func startMember(ctx context.Context, a *Agent, id *security.Identity) (m *member, err error) {
	k, err := loadKnown(a.data)
	if err != nil {
		return nil, err
	}
	m = &member{known: k, a: a, log: a.log, self: a.nodeID, rolled: make(chan struct{}, 1), voting: newTurn()}
	m.engine.changed = make(chan struct{}, 1)
	m.trust.wake = make(chan struct{}, 1)
	if m.trust.held, err = a.data.trustVersion(); err != nil {
		return nil, err
	}
	m.identity.Store(id)
	m.ctx, m.cancel = context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		if err != nil {
			m.stop()
			m = nil
		}
	}()
	if m.address, err = a.advertise(k.Members()); err != nil {
		return m, err
	}
	k.self = api.Member{ID: m.self, Address: m.address, APIPort: a.cfg.Port}
	m.uplink = newUplink(m)
	m.peers = peer.New(m.identity.Load, m.verify(), m, m.a.host.Dial)
	m.peers.Stranger = m.warnOfStranger
	m.peers.Own = a.server.HandlerFor(m.caller)
	m.onStop(m.peers.Close)
	if err = m.listen(); err != nil {
		return m, err
	}
	if err = m.startGossip(); err != nil {
		return m, err
	}
	if err = m.startHost(); err != nil {
		return m, err
	}
	a.server.Attach(m.backend())
	m.onStop(func() { a.server.Attach(nil) })
	if err = m.resumeVoter(); err != nil {
		return m, err
	}
	stopHTTP := a.serve(m.mux.HTTP(), a.server.NodeHandler())
	m.onStop(stopHTTP)
	m.jobs.Go(func() { m.followFeed(m.ctx) })
	m.jobs.Go(func() { m.uplink.run(m.ctx) })
	m.jobs.Go(func() { m.watchEngine(m.ctx) })
	m.jobs.Go(func() { m.watchDisk(m.ctx) })
	m.jobs.Go(func() { m.runGauge(m.ctx) })
	m.jobs.Go(func() { m.tendImages(m.ctx) })
	m.jobs.Go(func() { m.keepTrust(m.ctx) })
	m.jobs.Go(func() { m.watchGossip(m.ctx) })
	return m, nil
}

// onStop registers what undoes a step.
func (m *member) onStop(f func()) { m.closers = append(m.closers, f) }

// stop ends the member's parts in reverse order. Containers run on.
func (m *member) stop() {
	m.cancel()
	m.voting.wait() // and for good: a promotion under way is over, none begins
	m.stopVoter()
	for i := len(m.closers) - 1; i >= 0; i-- {
		m.closers[i]()
	}
	m.jobs.Wait()
}

// verify lets a member whose certificate or authority is one of the past be
// recognised by its recorded key, for what security.Authorise then allows it.
func (m *member) verify() security.VerifyOptions {
	recorded := func(nodeID, pubKeyHash string) bool {
		k, ok := m.member(cluster.NodeID(nodeID))
		return ok && k.PublicKey != "" && k.PublicKey == pubKeyHash
	}
	return security.VerifyOptions{AllowExpired: recorded, AllowRetired: recorded}
}

// caller is this node as it proves itself to others, and so to itself.
func (m *member) caller() security.Caller { return security.CallerAs(m.identity.Load(), time.Now()) }

// warnOfStranger says that a member's address has become somebody else's.
func (m *member) warnOfStranger(node cluster.NodeID, address string, err error) {
	k, _ := m.member(node)
	m.log.Warn("another host answers at the address of a member; it is not taken for the member", "member", k.Name, "address", address, "error", err)
}

// listen opens the one TLS port for raft and HTTP.
func (m *member) listen() error {
	l, err := m.a.host.Listen("tcp", ":"+strconv.Itoa(m.a.cfg.Port))
	if err != nil {
		return err
	}
	m.mux = security.NewMux(l, security.ServerTLS(m.identity.Load, m.verify()), m.log.With("part", "tls"))
	m.onStop(func() { _ = m.mux.Close() })
	return nil
}

func (m *member) startGossip() error {
	keys, err := m.a.data.gossipKeys()
	if err != nil {
		return err
	}
	m.gossip, err = gossip.Start(gossip.Config{
		NodeID: string(m.self), ClusterID: m.identity.Load().ClusterID,
		BindPort: m.a.cfg.GossipPort, AdvertiseAddr: m.address, AdvertisePort: m.a.cfg.GossipPort,
		Keys:  keys,
		Meta:  gossip.Meta{APIPort: uint16(m.a.cfg.Port), Version: m.a.version, Incarnation: uint64(time.Now().UnixMilli())},
		Peers: m.gossipPeers, Transport: m.a.host.Gossip, Logger: m.log.With("part", "gossip"),
	})
	if err != nil {
		return fmt.Errorf("start gossip on port %d: %w; stop what uses the port or start the agent with another --gossip-port", m.a.cfg.GossipPort, err)
	}
	m.onStop(func() { _ = m.gossip.Close() })
	return nil
}

// startHost starts what serves on this host: containers, images, ports.
func (m *member) startHost() (err error) {
	m.traffic = m.newTraffic()
	m.onStop(m.traffic.Close)
	if err := m.startImages(); err != nil {
		return err
	}
	prober := probe.New(m.a.host.Engine)
	m.onStop(prober.Close)
	m.worker, err = worker.New(worker.Config{
		Engine: m.a.host.Engine, Images: m.images, Address: m.address, DataDir: m.a.data.path,
		Host: worker.Host{
			ClusterID: m.identity.Load().ClusterID, NodeID: m.self, NodeName: m.a.name, Devices: m.a.host.Devices, MTU: m.networkMTU,
		},
		Report: m.report, Hurry: m.uplink.hurry, Prober: proberOf{prober}, Logger: m.log.With("part", "worker"),
	})
	if err != nil {
		return err
	}
	m.collector = m.newCollector()
	m.jobs.Go(func() { m.worker.Run(m.ctx) })
	return nil
}

// report sends what the worker saw to the leader.
func (m *member) report(ctx context.Context, seen []worker.Observation) error {
	batch := api.ObserveBatch{Node: m.self}
	for _, o := range seen {
		batch.Tasks = append(batch.Tasks, api.TaskObserved{Task: o.Task, Observed: o.Observed})
	}
	return m.uplink.call(ctx, "/v1/node/observe", batch, nil)
}

// backend introduces the parts to the API server.
func (m *member) backend() *server.Backend {
	return &server.Backend{
		Self: m.self, State: stateOf{m}, Nodes: m, Peers: peersOf{m.peers}, Leader: leaderOf{m},
		Engine: m.a.host.Engine, Images: m.images, Trust: trustOf{m}, Local: m, Identity: m.identity.Load,
		Metrics: metrics.Handler(m.sample),
	}
}

// Address is where a node's API answers: as the cluster says, or for a node that
// this one has not been told of as gossip does.
func (m *member) Address(id cluster.NodeID) (string, bool) {
	if at := m.Addresses(id); len(at) > 0 {
		return at[0], true
	}
	return "", false
}

// Addresses are where a node's API may answer: as the cluster says, then where it
// called from and where gossip hears it, if that is somewhere else. A node that
// moved while most voters did, or while this one slept, is not found otherwise.
func (m *member) Addresses(id cluster.NodeID) []string {
	var out []string
	add := func(at string, ok bool) {
		if ok && !slices.Contains(out, at) {
			out = append(out, at)
		}
	}
	add(m.known.Address(id))
	if m.gossip == nil || id == m.self {
		return out
	}
	add(m.lastSeen(id))
	g, ok := m.gossip.Member(string(id))
	add(net.JoinHostPort(g.Addr, strconv.Itoa(int(g.Meta.APIPort))), ok && g.Alive && g.Meta.APIPort != 0)
	return out
}

// LeaderID is the leader as this node knows it: from raft on a voter, as told
// on a worker.
func (m *member) LeaderID() cluster.NodeID {
	if v := m.voter.Load(); v != nil {
		id, _ := v.store.Leader()
		return id
	}
	return m.leaderID()
}

// knows is what this node goes by, each in order: whom it was told of, whom of
// these gossip calls alive, and the tasks that its balancers lead to.
func (m *member) knows() (members, heard, backends []string) {
	for _, k := range m.Members() {
		members = append(members, k.Name)
	}
	if m.gossip != nil {
		for _, g := range m.gossip.Members() {
			if k, ok := m.member(cluster.NodeID(g.ID)); ok && g.Alive {
				heard = append(heard, k.Name)
			}
		}
	}
	for _, e := range m.Table().Endpoints {
		backends = append(backends, string(e.Task))
	}
	slices.Sort(members)
	slices.Sort(heard)
	slices.Sort(backends)
	return members, heard, slices.Compact(backends)
}

// Problems are the troubles of this node and of its table that status shows.
func (m *member) Problems() []string {
	return append(m.ownProblems(), m.conflicts()...)
}

// ownProblems are the troubles of this node, which the leader is told as well.
func (m *member) ownProblems() []string {
	return append(m.portProblems(), m.diskProblems()...)
}

// portProblems are the published ports that do not serve on this node.
func (m *member) portProblems() []string {
	var out []string
	for _, p := range m.traffic.Problems() {
		out = append(out, fmt.Sprintf("node %s: %s", m.a.name, p))
	}
	return out
}

// meet brings this node's gossip together with the leader's: it was cut off, and
// what either side calls dead is not.
func (m *member) meet(leader cluster.NodeID) {
	if k, ok := m.member(leader); ok && leader != m.self && m.gossip != nil {
		m.gossip.Meet(gossip.Peer{ID: string(k.ID), Addr: gossipAddr(k)})
	}
}

// watchGossip passes gossip's word about the dead to the leader's detector.
func (m *member) watchGossip(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.gossip.Events():
		}
		v := m.voter.Load()
		if v == nil {
			continue
		}
		for _, g := range m.gossip.Members() {
			if !g.Alive {
				v.ctrl.GossipDead(cluster.NodeID(g.ID))
			}
		}
	}
}
