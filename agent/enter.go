package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
	"github.com/musterhq/muster/configs"
	"github.com/musterhq/muster/security"
)

// Patience while entering a cluster.
const (
	joinDialTimeout = 5 * time.Second
	joinTimeout     = 30 * time.Second
	electedTimeout  = 20 * time.Second
)

// moves waits for the turn of entering or leaving a cluster.
func (a *Agent) moves(ctx context.Context) error {
	if err := a.moving.take(ctx); err != nil {
		return api.Errorf(api.CodeUnavailable, "this host is still entering or leaving a cluster: %v", err).WithHint("try again")
	}
	return nil
}

// idle refuses to enter a cluster twice. The turn is the caller's.
func (a *Agent) idle() error {
	if a.member == nil {
		return nil
	}
	return api.Errorf(api.CodeConflict, "this host is in cluster %s already", a.member.identity.Load().ClusterID).
		WithHint("run `muster leave` first")
}

// Init makes a new cluster with this host as its only node: it mints the
// cluster's ID, its certificate authority and the gossip key.
func (a *Agent) Init(ctx context.Context) (api.Initialised, error) {
	if err := a.moves(ctx); err != nil {
		return api.Initialised{}, err
	}
	defer a.moving.done()
	if err := a.idle(); err != nil {
		return api.Initialised{}, err
	}
	boot, err := a.mint()
	if err != nil {
		return api.Initialised{}, fmt.Errorf("make the cluster: %w", err)
	}
	m, err := a.found(ctx, boot)
	if err != nil {
		a.forget()
		return api.Initialised{}, fmt.Errorf("make the cluster: %w", err)
	}
	a.member = m
	tok, err := a.server.NewToken(ctx, api.CreateToken{})
	if err != nil {
		return api.Initialised{}, fmt.Errorf("the cluster is made, but no join token: %w; run `muster token create`", err)
	}
	return api.Initialised{ClusterID: boot.identity.ClusterID, Node: a.name, Token: tok}, nil
}

// founding is what a new cluster is made from.
type founding struct {
	identity  *security.Identity
	ca        *security.CA
	key       security.ClusterKey
	gossipKey []byte
}

func (a *Agent) mint() (founding, error) {
	now := time.Now()
	ca, err := security.NewCA(ulid.Make().String(), now)
	if err != nil {
		return founding{}, err
	}
	id, err := ca.Issue(string(a.nodeID), now, a.host.certLife())
	if err != nil {
		return founding{}, err
	}
	return founding{identity: id, ca: ca, key: security.NewClusterKey(), gossipKey: security.NewGossipKey()}, nil
}

// found starts the first member and commits the cluster's first entry.
func (a *Agent) found(ctx context.Context, f founding) (*member, error) {
	address, err := a.advertise(nil)
	if err != nil {
		return nil, err
	}
	node, err := a.describe(ctx, address)
	if err != nil {
		return nil, err
	}
	node.PublicKey = f.identity.PublicKeyHash()
	if err := a.persist(f.identity, api.Trust{GossipKeys: [][]byte{f.gossipKey}}, []api.Member{memberOf(node, true)}); err != nil {
		return nil, err
	}
	if err := security.SaveClusterKey(a.data.identityDir(), f.key); err != nil {
		return nil, err
	}
	a.founding = true
	m, err := startMember(ctx, a, f.identity)
	a.founding = false
	if err != nil {
		return nil, err
	}
	if err := m.bootstrap(ctx, f, node); err != nil {
		m.stop()
		return nil, err
	}
	return m, nil
}

// bootstrap elects this node and commits Init.
func (m *member) bootstrap(ctx context.Context, f founding, node cluster.Node) error {
	ctx, cancel := context.WithTimeout(ctx, electedTimeout)
	defer cancel()
	store := m.voter.Load().store
	changes, stop := store.LeadershipChanges()
	defer stop()
	if err := store.Bootstrap(ctx); err != nil {
		return err
	}
	for {
		if _, me := store.Leader(); me {
			break
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait to be elected: %w", ctx.Err())
		case <-changes:
		}
	}
	body, err := f.init(node)
	if err != nil {
		return err
	}
	res, err := store.Propose(ctx, state.Command{At: time.Now(), Body: body})
	if err == nil && res.Err != nil {
		err = res.Err
	}
	return err
}

func (f founding) init(node cluster.Node) (state.Init, error) {
	keyDER, err := f.ca.MarshalKey()
	if err != nil {
		return state.Init{}, err
	}
	caKey, err := security.Seal(f.key, keyDER, []byte(sealedCAKey))
	if err != nil {
		return state.Init{}, err
	}
	gossipKey, err := security.Seal(f.key, f.gossipKey, []byte(sealedGossipKey))
	if err != nil {
		return state.Init{}, err
	}
	return state.Init{Node: node, Identity: cluster.Identity{
		ID: f.identity.ClusterID, Epoch: 1, CA: f.ca.CertPEM(), CAKey: cluster.Sealed(caKey), GossipKey: cluster.Sealed(gossipKey),
	}}, nil
}

// persist writes what makes this host a member.
func (a *Agent) persist(id *security.Identity, trust api.Trust, members []api.Member) error {
	if err := a.data.writeTrust(trust); err != nil {
		return err
	}
	if err := a.data.writeJSON(membersFile, members); err != nil {
		return err
	}
	return security.SaveIdentity(a.data.identityDir(), id)
}

// forget removes what made this host a member.
func (a *Agent) forget() {
	err := errors.Join(
		security.Wipe(a.data.identityDir()),
		a.forgetLog(),
		a.data.remove(gossipKeyFile, trustFile, membersFile, "assignments.cbor"),
	)
	if err != nil {
		a.log.Warn("the membership was not removed completely", "error", err)
	}
}

func memberOf(n cluster.Node, voter bool) api.Member {
	return api.Member{
		ID: n.ID, Name: n.Name, Address: n.Address, APIPort: n.APIPort, GossipPort: n.GossipPort,
		Voter: voter, Condition: cluster.Ready, PublicKey: n.PublicKey,
	}
}

// Join makes this host a member of the cluster that the token names.
func (a *Agent) Join(ctx context.Context, j api.Join) (api.Joined, error) {
	if err := a.moves(ctx); err != nil {
		return api.Joined{}, err
	}
	defer a.moving.done()
	if err := a.idle(); err != nil {
		return api.Joined{}, err
	}
	tok, err := security.ParseToken(j.Token)
	if err != nil {
		return api.Joined{}, api.Errorf(api.CodeInvalid, "%v", err).WithHint("paste the whole word that `muster token create` printed")
	}
	if len(j.Addresses) == 0 {
		return api.Joined{}, cluster.Invalid("address", "is missing", "give the address of a node of the cluster")
	}
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	id, trust, members, err := a.ask(ctx, tok, j)
	if err != nil {
		return api.Joined{}, err
	}
	if err := a.persist(id, trust, members); err != nil {
		a.forget()
		return api.Joined{}, err
	}
	m, err := startMember(ctx, a, id)
	if err != nil {
		a.forget()
		return api.Joined{}, fmt.Errorf("the cluster took this host in, but its agent could not start as a member: %w; run `muster node rm %s` there and join again", err, a.name)
	}
	a.member = m
	return api.Joined{ClusterID: id.ClusterID, NodeID: string(a.nodeID), Node: a.name}, nil
}

// ask tries the addresses in turn. A node that refuses ends it: the others
// would say the same.
func (a *Agent) ask(ctx context.Context, tok security.Token, j api.Join) (*security.Identity, api.Trust, []api.Member, error) {
	var unreachable error
	for _, addr := range j.Addresses {
		hostPort := addr
		if _, _, err := net.SplitHostPort(addr); err != nil {
			hostPort = net.JoinHostPort(addr, strconv.Itoa(configs.DefaultPort))
		}
		id, trust, members, err := a.askOne(ctx, hostPort, tok, j.Token)
		var refused *api.Error
		switch {
		case err == nil:
			return id, trust, members, nil
		case errors.As(err, &refused):
			return nil, trust, nil, refused
		case errors.Is(err, security.ErrPinMismatch), errors.Is(err, security.ErrForeignCluster):
			return nil, trust, nil, api.Errorf(api.CodeForbidden, "join through %s: %v", hostPort, err).
				WithHint("check the address, or make a token on that cluster with `muster token create`")
		}
		unreachable = errors.Join(unreachable, fmt.Errorf("join through %s: %w", hostPort, err))
	}
	return nil, api.Trust{}, nil, api.Errorf(api.CodeUnavailable, "%v", unreachable).
		WithHint("check the address, that `muster agent` runs there and that port 7070/tcp is open")
}

func (a *Agent) askOne(ctx context.Context, hostPort string, tok security.Token, word string) (id *security.Identity, trust api.Trust, members []api.Member, err error) {
	key, err := security.NewIdentityKey()
	if err != nil {
		return nil, trust, nil, err
	}
	csr, err := security.CSR(key)
	if err != nil {
		return nil, trust, nil, err
	}
	address := a.cfg.Advertise
	if address == "" {
		if address, err = sourceTo(hostPort); err != nil {
			return nil, trust, nil, err
		}
	}
	node, err := a.describe(ctx, address)
	if err != nil {
		return nil, trust, nil, err
	}
	var out api.NodeJoined
	if err := a.postJoin(ctx, hostPort, tok, api.NodeJoin{Token: word, CSR: csr, Node: node}, &out); err != nil {
		return nil, trust, nil, err
	}
	trust = api.Trust{CA: out.CA, GossipKeys: [][]byte{out.GossipKey}} // of a cluster that rotates nothing yet
	if out.Trust != nil {
		trust = *out.Trust
	}
	id, err = security.NewIdentity(out.Certificate, trust.CA, key)
	if err != nil {
		return nil, trust, nil, fmt.Errorf("read the certificate that the cluster signed: %w", err)
	}
	return id, trust, out.Members, nil
}

// postJoin speaks to a host that proves to be of the token's cluster; this host
// has no certificate yet.
func (a *Agent) postJoin(ctx context.Context, hostPort string, tok security.Token, in api.NodeJoin, out *api.NodeJoined) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	t := &http.Transport{
		TLSClientConfig: security.JoinTLS(tok.CAHash, tok.ClusterID, security.VerifyOptions{}), ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, joinDialTimeout)
			defer cancel()
			return a.host.dial(ctx, network, address)
		},
	}
	defer t.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+hostPort+"/v1/node/join", bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := t.RoundTrip(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		var e api.ErrorBody
		if json.NewDecoder(resp.Body).Decode(&e) == nil && e.Error != nil {
			return e.Error
		}
		return fmt.Errorf("HTTP %s", resp.Status)
	}
	return json.NewDecoder(resp.Body).Decode(out)
}
