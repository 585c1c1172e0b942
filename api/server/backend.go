package server

import (
	"context"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
	"github.com/musterhq/muster/runtime"
	"github.com/musterhq/muster/security"
)

// Lifecycle takes this host into and out of a cluster.
type Lifecycle interface {
	Local() api.Local
	Init(ctx context.Context) (api.Initialised, error)
	Join(ctx context.Context, j api.Join) (api.Joined, error)
	Leave(ctx context.Context, l api.Leave) error
	// Facts looks at this host, member or not.
	Facts(ctx context.Context) api.HostFacts
	// Approach tries the way to a host before a join.
	Approach(ctx context.Context, address string) api.Way
}

// Backend is the running member that calls are answered from.
type Backend struct {
	Self   cluster.NodeID
	State  State
	Nodes  Nodes
	Peers  Peers
	Leader Leader
	Engine Engine
	Images Images
	Trust  Trust
	Local  LocalNode
	// Metrics answers with what this node measures.
	Metrics http.Handler
	// Identity is this host's own.
	Identity func() *security.Identity
}

// State is the replicated state as this node has it.
type State interface {
	// View is what this node has applied; ok is false on a worker, which
	// holds no replicated state: its view is empty.
	View() (v state.View, ok bool)
	// Confirm returns nil when View holds all that was acknowledged before the
	// call: this node leads, and a majority has just said so.
	Confirm(ctx context.Context) error
	// Propose commits a command; it fails with an *api.Error.
	Propose(ctx context.Context, request string, body state.Body) (state.Result, error)
	// Watch wakes after each change of the view until stop is called.
	Watch() (wake <-chan struct{}, stop func())
}

// Nodes is what this node knows of the others, replicated state or not.
type Nodes interface {
	Members() []api.Member
	// LeaderID is "" when no leader is known.
	LeaderID() cluster.NodeID
	// Leaderless is how long no leader has answered this node.
	Leaderless() time.Duration
	// News is the newest that this node was told, as a frame without tasks.
	News() api.Feed
}

// Peers reaches other nodes.
type Peers interface {
	Transport(node cluster.NodeID, bulk bool) http.RoundTripper
	Call(ctx context.Context, node cluster.NodeID, method, path string, in, out any) error
	Stream(ctx context.Context, node cluster.NodeID, method, path string, body io.Reader) (io.ReadCloser, error)
	// DialTLS opens a connection of its own, for a protocol that does not ride
	// HTTP/2. alpn defaults to the HTTP protocols.
	DialTLS(ctx context.Context, node cluster.NodeID, alpn ...string) (net.Conn, error)
}

// Leader is the soft state that only the leader holds.
type Leader interface {
	// Heartbeat takes in a node's sign of life and answers the newest index
	// at which something changed for it.
	Heartbeat(h api.Heartbeat) (index uint64)
	// Suspects are nodes that are silent but not judged yet.
	Suspects() map[cluster.NodeID]bool
	// Usage is what a node measured last; ok is false when that is unknown.
	Usage(node cluster.NodeID) (u api.Usage, ok bool)
	// Problems are what a node said last of its own troubles.
	Problems(node cluster.NodeID) []string
	// Standby are the images that a node is likely to need when a host dies.
	Standby(node cluster.NodeID) []string
	// Weights are those of the nodes for the balancers; nil where the one that asks
	// has them already, or nobody needs them.
	Weights(known uint64) *api.Weights
	// Served is the state that the balancers of all living nodes go by, or zero.
	Served(v state.View) api.Position
	// Votes are the nodes that have a vote in raft's own configuration; nil when
	// it is not known.
	Votes() map[cluster.NodeID]bool
	// Simulate answers what would follow from a view if the commands were given
	// and the nodes died; unlike the rest it needs no leader.
	Simulate(ctx context.Context, v state.View, do []state.Body, down []cluster.NodeID) (api.Simulation, error)
	// Record writes down what decisions on a view rest on, without secrets.
	Record(v state.View) api.Recording
	// Why answers for each task where it could be as things are, nil for one that
	// is not wanted; it needs no leader either.
	Why(v state.View, tasks []*cluster.Task) []*api.Placing
	// Rebalance says which tasks of the services, nil for all, would be better on
	// other nodes.
	Rebalance(v state.View, services []cluster.ServiceID, ask api.Rebalance) api.RebalancePlan
	// Lagging are the ready nodes that do not hold yet what a rotation of keys
	// waits for.
	Lagging() []cluster.NodeID
	// Forecast foretells what becomes of a stack after a change: after is the
	// state with it.
	Forecast(ctx context.Context, before, after state.View, stack string) (api.Forecast, error)
}

// Engine is this host's container engine.
type Engine interface {
	Inspect(ctx context.Context, id string) (runtime.Container, error)
	Logs(ctx context.Context, id string, o runtime.LogOptions, w runtime.LogWriter) error
	Exec(ctx context.Context, id string, e runtime.Exec) (int, error)
	Resolve(ctx context.Context, ref string, login *runtime.Login) (string, error)
	HasImage(ctx context.Context, digest string) (bool, error)
	ListImages(ctx context.Context) ([]runtime.Image, error)
}

// Builder is an Engine that also builds images. Not every one can.
type Builder interface {
	Build(ctx context.Context, b runtime.Build, contextTar io.Reader, out io.Writer) (id string, err error)
}

// Images brings images to this host, and hands them on.
type Images interface {
	// Fetch brings what a task needs: from the registry, else from a peer.
	Fetch(ctx context.Context, digest string) error
	// Copy brings an image from the node that has it, or else from where it can
	// be had, and moves the reference ref to it unless that is "".
	Copy(ctx context.Context, digest string, from cluster.NodeID, ref string) error
	// Vouch tells the cluster which image a repository digest names, where this
	// host's engine had it from the registry.
	Vouch(ctx context.Context, digest string) error
	// Prune removes images of this host that nobody needs, or says which it would
	// remove.
	Prune(ctx context.Context, p api.PruneImages) (api.PrunedImages, error)
	// Config, Send and Whole hand an image of this host to another node: its
	// configuration, some of its layers, or all of it. They fail with an
	// *api.Error of api.CodeUnavailable while too many are under way.
	Config(ctx context.Context, a api.ImageAsk) ([]byte, error)
	Send(ctx context.Context, a api.ImageAsk, parts []api.LayerPart, w io.Writer) error
	Whole(ctx context.Context, a api.ImageAsk, w io.Writer) error
}

// Trust is the cluster's certificate authority, on voters.
type Trust interface {
	Sign(csr []byte, node cluster.NodeID) (certPEM []byte, err error)
	// GossipKeys are those of the given state, the one that encrypts first.
	GossipKeys(id cluster.Identity) ([][]byte, error)
	// NewAuthority makes an authority to follow the present one.
	NewAuthority() (caPEM []byte, key cluster.Sealed, err error)
	NewGossipKey() (cluster.Sealed, error)
	Seal(plaintext []byte, name string) (cluster.Sealed, error)
	Open(s cluster.Sealed, name string) ([]byte, error)
}

// LocalNode is what the agent does for its own host when another node asks.
type LocalNode interface {
	Promote(ctx context.Context, p api.Promote) error
	Demote(ctx context.Context) error
	// Revote closes the log and opens it again: the leader found it stuck.
	Revote(ctx context.Context) error
	Probe(ctx context.Context, p api.Probe) api.ProbeResult
	// Reach tries the ways from here to other members.
	Reach(ctx context.Context, targets []api.Target) []api.Way
	// TaskUsage measures the tasks that run here; nobody asks, nothing is measured.
	TaskUsage(ctx context.Context) ([]api.TaskUsage, error)
	// Problems are the troubles of this node and of its table that `status` shows.
	Problems() []string
}

// lookup answers access questions from replicated state, or on a worker from
// what the voters told it.
func (b *Backend) lookup() security.Lookup {
	if v, ok := b.State.View(); ok && v.NodeCount() > 0 {
		return viewLookup{v}
	}
	return memberLookup(b.Nodes.Members())
}

// toldLookup answers from what this node was told of the members, where its own
// state is behind that: a voter that is taking the log in still has the old key
// of a host that has joined again. It is nil elsewhere.
func (b *Backend) toldLookup() security.Lookup {
	v, ok := b.State.View()
	told := b.Nodes.News()
	if !ok || told.Members == nil || told.Epoch < v.Epoch() || told.Epoch == v.Epoch() && told.Index <= v.Index() {
		return nil
	}
	return memberLookup(told.Members)
}

type viewLookup struct{ view state.View }

func (l viewLookup) Node(id string) (known, revoked, voter bool, pubKeyHash string) {
	n, ok := l.view.Node(cluster.NodeID(id))
	if !ok {
		return false, false, false, ""
	}
	return true, false, n.Voter, n.PublicKey
}

type memberLookup []api.Member

func (l memberLookup) Node(id string) (known, revoked, voter bool, pubKeyHash string) {
	for _, m := range l {
		if string(m.ID) == id {
			return true, false, m.Voter, m.PublicKey
		}
	}
	return false, false, false, ""
}

// requestTimeout bounds calls that are not streams.
const requestTimeout = 60 * time.Second
