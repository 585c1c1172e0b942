package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/health"
	"github.com/musterhq/muster/consensus"
	"github.com/musterhq/muster/controller"
	"github.com/musterhq/muster/security"
)

// voter is what runs besides on a member of raft's configuration.
type voter struct {
	store *consensus.Store
	ctrl  *controller.Controller
	key   security.ClusterKey
	// granted is the index at which the vote that this node was just given is in
	// state; 0 when it had it before this start.
	granted uint64
	log     *slog.Logger
	cancel  context.CancelFunc
	jobs    sync.WaitGroup
}

// resumeVoter opens the store of a node that was a voter when it stopped.
func (m *member) resumeVoter() error {
	key, err := security.LoadClusterKey(m.a.data.identityDir())
	if errors.Is(err, os.ErrNotExist) {
		return nil // a worker
	}
	if err != nil {
		return err
	}
	err = m.startVoter(key, 0, !m.a.founding)
	if errors.Is(err, consensus.ErrStoreBroken) || errors.Is(err, consensus.ErrStoreLost) {
		// What this node voted is forgotten: it goes on as a worker and says so,
		// until the leader has taken it out and makes a voter of it anew.
		m.log.Error("this node's part of the replicated log is lost; going on as a worker until the leader gives it a new one", "error", err)
		return security.RemoveClusterKey(m.a.data.identityDir())
	}
	if errors.Is(err, consensus.ErrStoreFull) && m.freeBallast() {
		err = m.startVoter(key, 0, !m.a.founding)
	}
	if errors.Is(err, consensus.ErrStoreFull) {
		m.rests(err)
		return nil
	}
	return err
}

// startVoter opens the store, which must hold a log where this node resumes its
// vote, and follows its leadership.
func (m *member) startVoter(key security.ClusterKey, granted uint64, resumes bool) error {
	dir := m.a.data.consensusDir()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the log's directory: %w", err)
	}
	fsync, err := consensus.MeasureFsync(dir)
	if err != nil {
		return err
	}
	if fsync > slowDisk {
		m.log.Warn("the disk is slow: elections and writes take longer", "fsync", fsync, "directory", dir)
	}
	v := &voter{key: key, granted: granted, log: m.log.With("part", "raft")}
	v.store, err = consensus.Open(consensus.Config{
		NodeID: m.self, DataDir: dir, Memory: m.a.host.Log, Resume: resumes, Listener: &raftListener{Listener: m.mux.Raft(), m: m},
		Dial: m.dialRaft, Addr: m.Address, Commands: m.a.host.commands(), Raised: m.a.data.raise, Tuning: consensus.TuningFor(fsync), Logger: v.log,
	})
	if err != nil {
		return err
	}
	v.ctrl = controller.New(controller.Config{
		Self: m.self, Store: storeOf{v.store}, Prober: prober{m}, Evidence: m.evidence,
		Voters: votersOf{m, v.store}, Keys: trustOf{m}, KeyPeriod: m.a.cfg.KeyRotation, Logger: m.log.With("part", "controller"),
	})
	ctx, cancel := context.WithCancel(m.ctx)
	v.cancel = cancel
	m.voter.Store(v)
	v.jobs.Go(func() { m.followLeadership(ctx, v) })
	m.wakeFeed()
	return nil
}

// slowDisk is when a voter warns about its disk.
const slowDisk = 50 * time.Millisecond

func (m *member) wakeFeed() {
	select {
	case m.rolled <- struct{}{}:
	default:
	}
}

// stopVoter closes the store; the files stay.
func (m *member) stopVoter() {
	v := m.voter.Swap(nil)
	if v == nil {
		return
	}
	v.cancel()
	v.jobs.Wait()
	if err := v.store.Close(); err != nil {
		m.log.Warn("the log was not closed cleanly", "error", err)
	}
	m.wakeFeed()
}

// followLeadership runs the controller while this node leads, tells the uplink
// of every new leader, and ends the process when the store cannot go on: a full
// disk ends the vote alone.
func (m *member) followLeadership(ctx context.Context, v *voter) {
	changes, stop := v.store.LeadershipChanges()
	defer stop()
	var end func()
	var term uint64
	defer func() {
		if end != nil {
			end()
		}
	}()
	for {
		id, me := v.store.Leader()
		if end != nil && (!me || v.store.Term() != term) {
			end()
			end = nil
		}
		if me && end == nil {
			term = v.store.Term()
			m.log.Info("this node leads", "term", term)
			end = lead(ctx, v.ctrl)
		}
		if id != "" && m.setLeader(id) {
			m.uplink.leaderChanged()
			m.resendAll()
		}
		select {
		case <-ctx.Done():
			return
		case <-v.store.Failed():
			err := v.store.Err()
			if errors.Is(err, consensus.ErrStoreFull) {
				m.jobs.Go(func() { m.restVote(v, err) })
				return
			}
			m.a.fail(err)
			return
		case <-changes:
		}
	}
}

// lead runs the controller until the returned function is called.
func lead(ctx context.Context, c *controller.Controller) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	var job sync.WaitGroup
	job.Go(func() { c.Lead(ctx) })
	return func() {
		cancel()
		job.Wait()
	}
}

// evidence is what this node knows of the others when it is elected.
func (m *member) evidence() health.Evidence {
	var e health.Evidence
	for _, k := range m.Members() {
		if at := m.gossip.LastAck(string(k.ID)); !at.IsZero() {
			e.Contacts = append(e.Contacts, health.Contact{Node: k.ID, At: at})
		}
	}
	e.Probes = m.uplink.recentDials()
	return e
}

// dialRaft opens a raft stream to a node.
func (m *member) dialRaft(ctx context.Context, node cluster.NodeID, _ string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return m.peers.DialTLS(ctx, node, security.ALPNRaft)
}
