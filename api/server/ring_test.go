package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"go.uber.org/goleak"

	"github.com/musterhq/muster/agent/images"
	"github.com/musterhq/muster/agent/peer"
	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/api/client"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
	"github.com/musterhq/muster/runtime"
	"github.com/musterhq/muster/runtime/fake"
	"github.com/musterhq/muster/security"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ring is a cluster of servers with real connections between them and real
// clients. The first host leads; hosts whose name begins with "w" are workers.
// The replicated state is one object that the voters share.
type ring struct {
	t     *testing.T
	hosts []*host
	id    string
	ca    *security.CA

	mu       sync.Mutex
	state    *state.State
	index    uint64
	now      time.Time
	watchers map[chan struct{}]bool
	leader   func(asked *host) cluster.NodeID
	demoted  map[string]bool // hosts that lost their replicated state
	deposed  bool            // the voters deny that the leader leads
}

// host is one node of the ring.
type host struct {
	ring    *ring
	id      cluster.NodeID
	name    string
	engine  *engine
	server  *Server
	backend *Backend
	ident   *security.Identity
	address *net.TCPAddr
	pool    *peer.Pool
	client  *client.Client
	stop    func() // takes the host's API off the network
	links   links
	alone   time.Duration // without a leader
}

// links are the connections that a host opened.
type links struct {
	mu    sync.Mutex
	conns []net.Conn
}

func (l *links) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.conns = append(l.conns, conn)
	}
	return conn, err
}

// cut breaks them all.
func (l *links) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.conns {
		_ = c.Close()
	}
}

// engine is a fake whose Logs and Save a test may replace.
type engine struct {
	*fake.Driver
	save func(ctx context.Context, image string, w io.Writer) error
	logs func(ctx context.Context, id string, o runtime.LogOptions, w runtime.LogWriter) error
}

func (e *engine) Save(ctx context.Context, image string, w io.Writer) error {
	if e.save != nil {
		return e.save(ctx, image, w)
	}
	return e.Driver.Save(ctx, image, w)
}

func (e *engine) Logs(ctx context.Context, id string, o runtime.LogOptions, w runtime.LogWriter) error {
	if e.logs != nil {
		return e.logs(ctx, id, o, w)
	}
	return e.Driver.Logs(ctx, id, o, w)
}

// imagesOf brings and hands on a host's images.
type imagesOf struct {
	*images.Fetcher
	*images.Store
	*images.Collector
}

func newRing(t *testing.T, behave func(runtime.Create) fake.Behaviour, names ...string) *ring {
	t.Helper()
	r := &ring{t: t, id: ulid.Make().String(), state: state.New(), now: time.Now(), watchers: map[chan struct{}]bool{}}
	ca, err := security.NewCA(r.id, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	r.ca = ca
	for i, name := range names {
		h := r.addHost(ca, name, behave)
		n := cluster.Node{
			ID: h.id, Name: name, Address: "127.0.0.1", APIPort: h.address.Port, GossipPort: 1, Voter: name[0] != 'w',
			PublicKey: h.ident.PublicKeyHash(), Capacity: cluster.Resources{MilliCPU: 64000, Memory: 64 << 30},
		}
		if i == 0 {
			r.apply(state.Init{Identity: cluster.Identity{ID: r.id, Epoch: 1, CA: ca.CertPEM()}, Node: n})
			r.apply(state.PutToken{Token: cluster.Token{ID: "t", SecretHash: "h", Uses: 99, Expires: r.now.Add(24 * time.Hour)}})
			continue
		}
		r.apply(state.JoinNode{Token: "t", Node: n})
		if n.Voter {
			r.apply(state.SetVoter{Node: h.id, Voter: true})
		}
	}
	return r
}

func (r *ring) addHost(ca *security.CA, name string, behave func(runtime.Create) fake.Behaviour) *host {
	r.t.Helper()
	h := &host{ring: r, id: cluster.NodeID(ulid.Make().String()), name: name}
	h.engine = &engine{Driver: fake.New(fake.Config{Behave: behave})}
	r.t.Cleanup(func() { _ = h.engine.Close() })
	ident, err := ca.Issue(string(h.id), time.Now(), time.Hour)
	if err != nil {
		r.t.Fatal(err)
	}
	h.ident = ident
	identity := func() *security.Identity { return ident }
	h.pool = peer.New(identity, security.VerifyOptions{}, r, h.links.dial)
	r.t.Cleanup(h.pool.Close)
	s := New(api.Version{}, lifecycleOf{r.id}, slog.New(slog.DiscardHandler))
	h.server = s
	h.backend = &Backend{
		Self: h.id, State: stateOf{h}, Nodes: h, Peers: peersOf{h.pool}, Leader: quietLeader{}, Engine: h.engine, Local: quietNode{}, Identity: identity,
	}
	store, err := images.OpenStore(r.t.TempDir(), h.engine, func(string) (int64, int64, error) { return 1 << 40, 1 << 40, nil })
	if err != nil {
		r.t.Fatal(err)
	}
	h.backend.Images = imagesOf{images.New(images.Config{Self: h.id, Engine: h.engine, Peers: h.pool, Members: h.Members, Store: store}), store, &images.Collector{
		Store: store, Engine: h.engine, Room: func(string) (int64, int64, error) { return 1 << 40, 1 << 40, nil },
		InUse: func() []string { return nil }, Logger: slog.New(slog.DiscardHandler),
		Wanted: func(ctx context.Context) (out []string, err error) {
			return out, h.pool.Call(ctx, r.hosts[0].id, http.MethodPost, "/v1/node/images/wanted", nil, &out)
		},
		Tell: func(ctx context.Context, removed []api.RemovedImage) error {
			return h.pool.Call(ctx, r.hosts[0].id, http.MethodPost, "/v1/node/images/removed", api.ImagesRemoved{Node: h.id, Images: removed}, nil)
		},
	}}
	s.Attach(h.backend)

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.t.Fatal(err)
	}
	h.address = l.Addr().(*net.TCPAddr)
	mux := security.NewMux(l, security.ServerTLS(identity, security.VerifyOptions{}), nil)
	stopHTTP := serve(mux.HTTP(), s.NodeHandler())
	h.stop = sync.OnceFunc(func() {
		_ = mux.Close()
		stopHTTP()
	})
	r.t.Cleanup(h.stop)

	path := filepath.Join(r.t.TempDir(), "s")
	local, err := net.Listen("unix", path)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(serve(local, s.LocalHandler()))
	if h.client, err = client.New("unix://" + path); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(h.client.Close)
	r.hosts = append(r.hosts, h)
	return h
}

func serve(l net.Listener, handler http.Handler) (stop func()) {
	srv := &http.Server{Handler: handler, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)}
	var wg sync.WaitGroup
	wg.Go(func() { _ = srv.Serve(l) })
	return func() {
		_ = srv.Close()
		wg.Wait()
	}
}

// apply commits a command and wakes whoever watches.
func (r *ring) apply(b state.Body) {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if res := r.commit("", b); res.Err != nil || len(res.Refused) > 0 {
		r.t.Fatalf("%T: %v, refused %v", b, res.Err, res.Refused)
	}
}

func (r *ring) commit(request string, b state.Body) state.Result {
	r.index++
	r.now = r.now.Add(time.Millisecond)
	res := r.state.Apply(r.index, state.Command{Request: request, At: r.now, Body: b})
	r.wake()
	return res
}

func (r *ring) wake() {
	for w := range r.watchers {
		select {
		case w <- struct{}{}:
		default:
		}
	}
}

func (r *ring) view() state.View {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state.View()
}

// Address implements peer.Directory.
func (r *ring) Addresses(id cluster.NodeID) []string {
	for _, h := range r.hosts {
		if h.id == id {
			return []string{h.address.String()}
		}
	}
	return nil
}

func (r *ring) host(name string) *host {
	return r.hosts[slices.IndexFunc(r.hosts, func(h *host) bool { return h.name == name })]
}

// runTask runs a task of shop/web on a host as its agent would, and reports it.
func (r *ring) runTask(slot int, on string) (cluster.TaskID, string) {
	r.t.Helper()
	h := r.host(on)
	id := cluster.TaskID(ulid.Make().String())
	h.engine.AddImage("web:1")
	c, err := h.engine.Create(r.t.Context(), runtime.Create{
		Name: "muster-shop-web-" + strconv.Itoa(slot) + "-" + string(id),
		Labels: map[string]string{
			runtime.LabelCluster: r.id, runtime.LabelTask: string(id), runtime.LabelSlot: strconv.Itoa(slot), "host": on,
		},
		Spec: cluster.ContainerSpec{Image: cluster.Image{Ref: "web:1"}},
	})
	if err == nil {
		err = h.engine.Start(r.t.Context(), c)
	}
	if err != nil {
		r.t.Fatal(err)
	}
	r.apply(state.Reconcile{Create: []cluster.Task{{ID: id, Service: "shop/web", Slot: slot, Generation: 1, Node: h.id}}})
	r.observe(h, id, cluster.Observed{Phase: cluster.PhaseRunning, ContainerID: c, Started: time.Now()})
	return id, c
}

func (r *ring) observe(h *host, id cluster.TaskID, o cluster.Observed) {
	r.t.Helper()
	r.apply(state.Observe{Node: h.id, Tasks: []state.TaskObserved{{Task: id, Observed: o}}})
}

// deployWeb makes the service that runTask runs tasks of.
func (r *ring) deployWeb() {
	r.t.Helper()
	r.apply(state.PutStack{Stack: "shop", Services: []state.NamedSpec{{Name: "web", Spec: cluster.ServiceSpec{
		Mode: cluster.Replicated, Replicas: 1,
		Template: cluster.Template{Container: cluster.ContainerSpec{Image: cluster.Image{Ref: "web:1"}}},
	}}}})
}

func (r *ring) down(name string) {
	r.t.Helper()
	r.apply(state.Reconcile{Conditions: []state.NodeCondition{{Node: r.host(name).id, Condition: cluster.Down, Reason: "silent"}}})
}

// Members, LeaderID and Table implement Nodes.
func (h *host) Members() []api.Member {
	h.ring.mu.Lock()
	defer h.ring.mu.Unlock()
	return membersOf(h.ring.state.View())
}

func (h *host) News() api.Feed { return api.Feed{} }

// LeaderID is the first host unless the test says otherwise.
func (h *host) LeaderID() cluster.NodeID {
	h.ring.mu.Lock()
	defer h.ring.mu.Unlock()
	if h.ring.leader != nil {
		return h.ring.leader(h)
	}
	return h.ring.hosts[0].id
}

func (h *host) Leaderless() time.Duration { return h.alone }

// stateOf is the replicated state as a host has it: workers have none.
type stateOf struct{ *host }

func (s stateOf) View() (state.View, bool) {
	s.ring.mu.Lock()
	defer s.ring.mu.Unlock()
	if s.name[0] == 'w' || s.ring.demoted[s.name] {
		return state.View{}, false
	}
	return s.ring.state.View(), true
}

func (s stateOf) Confirm(context.Context) error {
	s.ring.mu.Lock()
	defer s.ring.mu.Unlock()
	if s.ring.deposed {
		return errors.New("another node leads")
	}
	return nil
}

func (s stateOf) Propose(_ context.Context, request string, body state.Body) (state.Result, error) {
	if s.LeaderID() != s.id {
		return state.Result{}, api.Errorf(api.CodeUnavailable, "the leader is changing")
	}
	s.ring.mu.Lock()
	defer s.ring.mu.Unlock()
	return s.ring.commit(request, body), nil
}

func (s stateOf) Watch() (<-chan struct{}, func()) {
	s.ring.mu.Lock()
	defer s.ring.mu.Unlock()
	w := make(chan struct{}, 1)
	s.ring.watchers[w] = true
	return w, func() {
		s.ring.mu.Lock()
		defer s.ring.mu.Unlock()
		delete(s.ring.watchers, w)
	}
}

// peersOf adapts the pool, as the agent does.
type peersOf struct{ *peer.Pool }

func (p peersOf) Transport(node cluster.NodeID, bulk bool) http.RoundTripper {
	if bulk {
		return p.Pool.Transport(node, peer.Bulk)
	}
	return p.Pool.Transport(node, peer.Control)
}

// quietNode has no troubles of its own.
type quietNode struct{ LocalNode }

func (quietNode) Problems() []string { return nil }

type quietLeader struct{}

func (quietLeader) Heartbeat(api.Heartbeat) uint64    { return 0 }
func (quietLeader) Suspects() map[cluster.NodeID]bool { return nil }
func (quietLeader) Rebalance(state.View, []cluster.ServiceID, api.Rebalance) (p api.RebalancePlan) {
	return p
}

func (quietLeader) Forecast(context.Context, state.View, state.View, string) (f api.Forecast, err error) {
	return f, nil
}
func (quietLeader) Standby(cluster.NodeID) []string  { return nil }
func (quietLeader) Weights(uint64) *api.Weights      { return nil }
func (quietLeader) Served(state.View) api.Position   { return api.Position{} }
func (quietLeader) Problems(cluster.NodeID) []string { return nil }
func (quietLeader) Lagging() []cluster.NodeID        { return nil }
func (quietLeader) Simulate(context.Context, state.View, []state.Body, []cluster.NodeID) (api.Simulation, error) {
	return api.Simulation{}, nil
}
func (quietLeader) Record(state.View) api.Recording { return api.Recording{} }
func (quietLeader) Why(_ state.View, tasks []*cluster.Task) []*api.Placing {
	return make([]*api.Placing, len(tasks))
}
func (quietLeader) Votes() map[cluster.NodeID]bool              { return nil }
func (quietLeader) Usage(cluster.NodeID) (u api.Usage, ok bool) { return u, false }

// lifecycleOf knows the cluster's ID and nothing else.
type lifecycleOf struct{ clusterID string }

func (l lifecycleOf) Local() api.Local                                  { return api.Local{ClusterID: l.clusterID} }
func (lifecycleOf) Init(context.Context) (i api.Initialised, err error) { return i, errNotHere }
func (lifecycleOf) Join(context.Context, api.Join) (j api.Joined, err error) {
	return j, errNotHere
}
func (lifecycleOf) Leave(context.Context, api.Leave) error       { return errNotHere }
func (lifecycleOf) Facts(context.Context) api.HostFacts          { return api.HostFacts{} }
func (lifecycleOf) Approach(context.Context, string) (w api.Way) { return w }

var errNotHere = api.Errorf(api.CodeInternal, "not in this test")

// lineRecorder keeps the log lines that were sent.
type lineRecorder struct{ bytes.Buffer }

func (r *lineRecorder) lines() *lines { return &lines{enc: json.NewEncoder(r), flush: func() {}} }

func (r *lineRecorder) texts() []string {
	var out []string
	for dec := json.NewDecoder(bytes.NewReader(r.Bytes())); dec.More(); {
		var l api.LogLine
		if dec.Decode(&l) != nil {
			break
		}
		out = append(out, l.Line)
	}
	return out
}
