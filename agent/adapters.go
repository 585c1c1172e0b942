package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/musterhq/muster/agent/peer"
	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
	"github.com/musterhq/muster/consensus"
	"github.com/musterhq/muster/consensus/voters"
	"github.com/musterhq/muster/controller"
	"github.com/musterhq/muster/security"
)

// This file introduces parts to each other that may not know each other: each
// type below fits one of them to the interface that another declares.

// Errors of calls that need a voter.
var (
	errNoVoter = api.Errorf(api.CodeUnavailable, "no voter of the cluster can be reached").
			WithHint("check the network to the voters; containers run on meanwhile")
	errNotVoter = api.Errorf(api.CodeUnavailable, "this node is not a voter").WithHint("try again")
)

// isAnswer reports whether err is what the other node decided, rather than a
// failure to reach it.
func isAnswer(err error) bool {
	var e *api.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code {
	case api.CodeUnavailable, api.CodeNoQuorum, api.CodeUnknown, api.CodeInternal, api.CodeNotMember:
		return false
	}
	return true
}

// stateOf is the replicated state for the API server.
type stateOf struct{ m *member }

// noState is what a node that holds no replicated state has of it: a call may be
// under way when a vote ends.
var noState = state.New().View()

func (s stateOf) View() (state.View, bool) {
	v := s.m.voter.Load()
	if v == nil {
		return noState, false
	}
	view := v.store.View()
	return view, view.Epoch() > 0
}

func (s stateOf) Confirm(ctx context.Context) error {
	v := s.m.voter.Load()
	if v == nil {
		return errNotVoter
	}
	return v.store.Confirm(ctx)
}

func (s stateOf) Propose(ctx context.Context, request string, body state.Body) (state.Result, error) {
	v := s.m.voter.Load()
	if v == nil {
		return state.Result{}, errNotVoter
	}
	res, err := v.store.Propose(ctx, state.Command{Request: request, At: time.Now(), Body: body})
	return res, proposeError(err)
}

func proposeError(err error) error {
	var notLeader *consensus.NotLeaderError
	var tooLarge *consensus.TooLargeError
	var outdated *consensus.OutdatedError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &notLeader):
		return api.Errorf(api.CodeUnavailable, "the leader is changing").WithHint("try again")
	case errors.As(err, &tooLarge):
		return api.Errorf(api.CodeTooLarge, "%v", err)
	case errors.As(err, &outdated):
		return api.Errorf(api.CodeConflict, "%v", outdated).WithHint("a node that will not be back is removed with `muster node rm`")
	case errors.Is(err, consensus.ErrUnknown):
		return api.Errorf(api.CodeUnknown, "the change was not confirmed in time: %v", err).
			WithHint("sending it again is safe; `muster status` shows whether a majority of the voters is there")
	}
	return api.Errorf(api.CodeUnavailable, "%v", err).WithHint("try again")
}

func (s stateOf) Watch() (<-chan struct{}, func()) {
	v := s.m.voter.Load()
	if v == nil {
		return nil, func() {}
	}
	w := v.store.Watch()
	return w.C(), w.Close
}

// storeOf is the log for the controller.
type storeOf struct{ *consensus.Store }

func (s storeOf) Watch() controller.Watcher { return watcherOf{s.Store.Watch()} }

type watcherOf struct{ *consensus.Watcher }

func (w watcherOf) Changes() ([]state.Change, bool) {
	d := w.Take()
	return d.Changes, d.All
}

// peersOf is the connections for the API server.
type peersOf struct{ pool *peer.Pool }

func (p peersOf) class(bulk bool) peer.Class {
	if bulk {
		return peer.Bulk
	}
	return peer.Control
}

func (p peersOf) Transport(node cluster.NodeID, bulk bool) http.RoundTripper {
	return p.pool.Transport(node, p.class(bulk))
}

// leaderOf is the leader's soft state for the API server; on other nodes it
// knows nothing.
type leaderOf struct{ m *member }

func (l leaderOf) ctrl() *controller.Controller {
	if v := l.m.voter.Load(); v != nil {
		return v.ctrl
	}
	return nil
}

func (l leaderOf) Heartbeat(h api.Heartbeat) uint64 {
	if c := l.ctrl(); c != nil {
		return c.Heartbeat(h)
	}
	return 0
}

func (l leaderOf) Suspects() map[cluster.NodeID]bool {
	if c := l.ctrl(); c != nil {
		return c.Suspects()
	}
	return nil
}

func (l leaderOf) Usage(node cluster.NodeID) (api.Usage, bool) {
	if c := l.ctrl(); c != nil {
		return c.Usage(node)
	}
	return api.Usage{}, false
}

func (l leaderOf) Standby(node cluster.NodeID) []string {
	if c := l.ctrl(); c != nil {
		return c.Standby(node)
	}
	return nil
}

func (l leaderOf) Weights(known uint64) *api.Weights {
	if c := l.ctrl(); c != nil {
		return c.Weights(known)
	}
	return nil
}

func (l leaderOf) Served(v state.View) api.Position {
	if c := l.ctrl(); c != nil {
		return c.Served(v)
	}
	return api.Position{}
}

func (l leaderOf) Forecast(ctx context.Context, before, after state.View, stack string) (api.Forecast, error) {
	return controller.Forecast(ctx, before, after, stack, l.ctrl().Facts())
}

func (l leaderOf) Problems(node cluster.NodeID) []string {
	if c := l.ctrl(); c != nil {
		return c.Problems(node)
	}
	return nil
}

func (l leaderOf) Votes() map[cluster.NodeID]bool {
	v := l.m.voter.Load()
	if v == nil {
		return nil
	}
	out := map[cluster.NodeID]bool{}
	for _, s := range v.store.Servers() {
		out[s.ID] = s.Voter
	}
	return out
}

func (l leaderOf) Simulate(ctx context.Context, v state.View, do []state.Body, down []cluster.NodeID) (api.Simulation, error) {
	return controller.Foresee(ctx, v, l.ctrl().Facts(), controller.Scenario{Do: do, Down: down})
}

func (l leaderOf) Record(v state.View) api.Recording { return l.ctrl().Record(v) }

func (l leaderOf) Why(v state.View, tasks []*cluster.Task) []*api.Placing {
	return controller.Why(v, l.ctrl().Facts(), time.Now(), tasks)
}

func (l leaderOf) Rebalance(v state.View, services []cluster.ServiceID, ask api.Rebalance) api.RebalancePlan {
	return controller.Proposals(v, l.ctrl().Facts(), time.Now(), services, ask)
}

func (l leaderOf) Lagging() []cluster.NodeID {
	if c := l.ctrl(); c != nil {
		return c.Lagging()
	}
	return nil
}

// trustOf is the certificate authority, whose key is sealed in replicated state.
type trustOf struct{ m *member }

// Names that sealed values are bound to.
const (
	sealedCAKey     = "ca-key"
	sealedGossipKey = "gossip-key"
)

// certTTL is how long a node certificate is valid.
const certTTL = 365 * 24 * time.Hour

func (t trustOf) open() (*voter, cluster.Identity, error) {
	v := t.m.voter.Load()
	if v == nil {
		return nil, cluster.Identity{}, errNotVoter
	}
	id, ok := v.store.View().Cluster()
	if !ok {
		return nil, cluster.Identity{}, errNotVoter
	}
	return v, id, nil
}

func (t trustOf) Sign(csr []byte, node cluster.NodeID) ([]byte, error) {
	v, id, err := t.open()
	if err != nil {
		return nil, err
	}
	keyDER, err := security.Open(v.key, security.Sealed(id.CAKey), []byte(sealedCAKey))
	if err != nil {
		return nil, fmt.Errorf("open the authority's key: %w", err)
	}
	ca, err := security.ParseCA(id.CA, keyDER)
	if err != nil {
		return nil, err
	}
	return ca.Sign(csr, string(node), time.Now(), t.m.a.host.certLife())
}

func (t trustOf) GossipKeys(id cluster.Identity) ([][]byte, error) {
	sealed := []cluster.Sealed{id.GossipKey}
	if r := id.GossipRotation; r != nil {
		sealed = append(sealed, r.Key)
	}
	var out [][]byte
	for _, s := range sealed {
		key, err := t.Open(s, sealedGossipKey)
		if err != nil {
			return nil, err
		}
		out = append(out, key)
	}
	return out, nil
}

func (t trustOf) NewGossipKey() (cluster.Sealed, error) {
	return t.Seal(security.NewGossipKey(), sealedGossipKey)
}

func (t trustOf) NewAuthority() ([]byte, cluster.Sealed, error) {
	_, id, err := t.open()
	if err != nil {
		return nil, cluster.Sealed{}, err
	}
	ca, err := security.NewCA(id.ID, time.Now())
	if err != nil {
		return nil, cluster.Sealed{}, err
	}
	keyDER, err := ca.MarshalKey()
	if err != nil {
		return nil, cluster.Sealed{}, err
	}
	key, err := t.Seal(keyDER, sealedCAKey)
	return ca.CertPEM(), key, err
}

func (trustOf) AuthorityHash(caPEM []byte) (string, error) { return security.CAHash(caPEM) }

func (t trustOf) Seal(plaintext []byte, name string) (cluster.Sealed, error) {
	v, _, err := t.open()
	if err != nil {
		return cluster.Sealed{}, err
	}
	s, err := security.Seal(v.key, plaintext, []byte(name))
	return cluster.Sealed(s), err
}

func (t trustOf) Open(s cluster.Sealed, name string) ([]byte, error) {
	v, _, err := t.open()
	if err != nil {
		return nil, err
	}
	return security.Open(v.key, security.Sealed(s), []byte(name))
}

// votersOf carries out changes of raft's configuration for the controller.
type votersOf struct {
	m     *member
	store *consensus.Store
}

func (v votersOf) Roles() map[cluster.NodeID]voters.Role {
	out := map[cluster.NodeID]voters.Role{}
	for _, s := range v.store.Servers() {
		out[s.ID] = voters.Nonvoter
		if s.Voter {
			out[s.ID] = voters.Voter
		}
	}
	return out
}

func (v votersOf) CaughtUp(id cluster.NodeID) bool { return v.store.CaughtUp(id) }

func (v votersOf) Follows(id cluster.NodeID) (match uint64, keepsUp bool) { return v.store.Follows(id) }

func (v votersOf) Change(ctx context.Context, ch voters.Change) error {
	switch ch.Op {
	case voters.AddNonvoter:
		return v.add(ctx, ch.Node)
	case voters.Promote:
		return v.store.AddVoter(ctx, ch.Node)
	case voters.Demote:
		return v.store.Demote(ctx, ch.Node)
	case voters.Remove:
		return v.remove(ctx, ch.Node)
	case voters.Restart:
		return v.m.peers.Call(ctx, ch.Node, http.MethodPost, "/v1/node/revote", nil, nil)
	case voters.TransferLeadership:
		return v.store.TransferLeadership(ctx, ch.Node)
	}
	return fmt.Errorf("the change %q of the voters is not known", ch.Op)
}

// add grants raft streams first, then has the node open its log, then lets it
// receive entries.
func (v votersOf) add(ctx context.Context, id cluster.NodeID) error {
	if err := v.grant(ctx, id, true); err != nil {
		return err
	}
	p := api.Promote{ClusterKey: v.m.voter.Load().key.Bytes(), Index: v.store.View().Index()}
	for _, k := range v.m.Members() {
		if k.Voter {
			p.Voters = append(p.Voters, k)
		}
	}
	if err := v.m.peers.Call(ctx, id, http.MethodPost, "/v1/node/promote", p, nil); err != nil {
		return fmt.Errorf("promote node %s: %w", id, err)
	}
	return v.store.AddNonvoter(ctx, id)
}

// remove takes a node out of the configuration before it withdraws its streams.
// A node that cannot be told finds out when it is back.
func (v votersOf) remove(ctx context.Context, id cluster.NodeID) error {
	if err := v.store.Remove(ctx, id); err != nil {
		return err
	}
	if _, ok := v.store.View().Node(id); !ok {
		return nil // it left the cluster
	}
	if err := v.grant(ctx, id, false); err != nil {
		return err
	}
	if err := v.m.peers.Call(ctx, id, http.MethodPost, "/v1/node/demote", nil, nil); err != nil {
		v.m.log.Info("a former voter could not be told", "node", id, "error", err)
	}
	return nil
}

func (v votersOf) grant(ctx context.Context, id cluster.NodeID, voter bool) error {
	res, err := v.store.Propose(ctx, state.Command{At: time.Now(), Body: state.SetVoter{Node: id, Voter: voter}})
	if err == nil && res.Err != nil {
		err = res.Err
	}
	return err
}

func gossipAddr(m api.Member) string { return net.JoinHostPort(m.Address, fmt.Sprint(m.GossipPort)) }

func (p peersOf) Call(ctx context.Context, node cluster.NodeID, method, path string, in, out any) error {
	return p.pool.Call(ctx, node, method, path, in, out)
}

func (p peersOf) Stream(ctx context.Context, node cluster.NodeID, method, path string, body io.Reader) (io.ReadCloser, error) {
	return p.pool.Stream(ctx, node, method, path, body)
}

func (p peersOf) DialTLS(ctx context.Context, node cluster.NodeID, alpn ...string) (net.Conn, error) {
	return p.pool.DialTLS(ctx, node, alpn...)
}
