package gossip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// updateTimeout bounds the wait until new metadata went out once. It spreads
// without the wait too; waiting spaces the updates.
const updateTimeout = 500 * time.Millisecond

// ErrClosed is returned by calls after [Gossip.Close].
var ErrClosed = errors.New("gossip is closed")

// Gossip is a running member. Its methods are safe for concurrent use.
type Gossip struct {
	log      *slog.Logger
	dir      *directory
	delegate *delegate
	list     *memberlist.Memberlist
	keyring  *memberlist.Keyring
	peers    func() []Peer

	cancel    context.CancelFunc // ends goroutines and dials
	wg        sync.WaitGroup
	metaDirty chan struct{}
	meet      chan Peer // those to contact beside the rejoin loop

	lifecycle sync.Mutex // held by Leave and Close, so that neither overtakes the other
	leaving   chan struct{}
	closed    bool

	keys sync.Mutex // held while the keyring changes
}

// Start listens and begins to gossip. The member knows nobody until
// [Gossip.Join], or until the rejoin loop reached one of cfg.Peers.
func Start(cfg Config) (*Gossip, error) {
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("start gossip: %w", err)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Peers == nil {
		cfg.Peers = func() []Peer { return nil }
	}
	keyring, err := memberlist.NewKeyring(cfg.Keys, cfg.Keys[0])
	if err != nil {
		return nil, fmt.Errorf("start gossip: %w", err)
	}
	dir := newDirectory()
	g := &Gossip{
		log:       cfg.Logger,
		dir:       dir,
		delegate:  &delegate{clusterID: cfg.ClusterID, dir: dir},
		keyring:   keyring,
		peers:     cfg.Peers,
		metaDirty: make(chan struct{}, 1),
		meet:      make(chan Peer, 1),
		leaving:   make(chan struct{}),
	}
	if err := g.storeMeta(cfg.Meta); err != nil {
		return nil, fmt.Errorf("start gossip: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	g.cancel = cancel
	if err := g.listen(ctx, cfg); err != nil {
		cancel()
		return nil, fmt.Errorf("start gossip: %w", err)
	}
	g.wg.Go(func() { g.publishMeta(ctx) })
	g.wg.Go(func() { g.meetings(ctx) })
	g.wg.Go(func() { g.rejoin(ctx, newRejoinState(cfg.NodeID)) })
	return g, nil
}

func (g *Gossip) listen(ctx context.Context, cfg Config) error {
	logger := newLogger(cfg.Logger)
	if cfg.Transport == nil {
		t, err := newNetTransport(ctx, cfg.BindAddr, cfg.BindPort, logger)
		if err != nil {
			return err
		}
		cfg.Transport = t
		if cfg.AdvertisePort == 0 {
			cfg.AdvertisePort = t.GetAutoBindPort()
		}
	}
	list, err := memberlist.Create(cfg.memberlistConfig(g.delegate, g.keyring, logger))
	if err != nil {
		return errors.Join(err, cfg.Transport.Shutdown())
	}
	g.list = list
	return nil
}

// Join contacts hosts ("ip:port") one after the other, up to 6 s each, and
// merges membership with those that answer. It returns how many did, and an
// error when none did.
func (g *Gossip) Join(addrs []string) (int, error) {
	for _, addr := range addrs {
		if _, err := netip.ParseAddrPort(addr); err != nil {
			return 0, fmt.Errorf("join gossip: %q is not an IP address and port", addr)
		}
	}
	n, err := g.list.Join(addrs)
	if err != nil {
		return n, fmt.Errorf("join gossip: %w", err)
	}
	return n, nil
}

// Members returns everyone heard of in the last day, this node included, in
// order of ID.
func (g *Gossip) Members() []Member { return g.dir.list() }

// Member returns what was heard of one node.
func (g *Gossip) Member(id string) (Member, bool) { return g.dir.member(id) }

// Dead reports whether a node was heard of and then reported dead or gone,
// and since when.
func (g *Gossip) Dead(id string) (since time.Time, dead bool) { return g.dir.dead(id) }

// LastAck returns when a node last answered a direct ping of this one; zero
// for never. Each probe interval (0.5 s) pings one member, in turn.
func (g *Gossip) LastAck(id string) time.Time { return g.dir.lastAck(id) }

// Events returns the channel that holds a token after membership or metadata
// changed: receive, then read [Gossip.Members]. Many changes may share a
// token. It has one consumer.
func (g *Gossip) Events() <-chan struct{} { return g.dir.events }

// SetMeta replaces what this member says of itself and returns at once; the
// news spreads in the background.
func (g *Gossip) SetMeta(m Meta) error {
	if err := g.storeMeta(m); err != nil {
		return fmt.Errorf("set gossip metadata: %w", err)
	}
	g.announce()
	return nil
}

// announce tells the others of this member anew, in the background.
func (g *Gossip) announce() {
	select {
	case g.metaDirty <- struct{}{}:
	default:
	}
}

func (g *Gossip) storeMeta(m Meta) error {
	m.ClusterID = g.delegate.clusterID
	data, err := encodeMeta(m)
	if err != nil {
		return err
	}
	g.delegate.meta.Store(&data)
	return nil
}

func (g *Gossip) publishMeta(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-g.metaDirty:
			if err := g.list.UpdateNode(updateTimeout); err != nil {
				g.log.Debug("gossip metadata waits for its turn", "error", err)
			}
		}
	}
}

// Leave tells the others that this member goes for good, waits up to timeout
// until that was sent once, and stops rejoining. [Gossip.Close] is still due.
func (g *Gossip) Leave(timeout time.Duration) error {
	g.lifecycle.Lock()
	defer g.lifecycle.Unlock()
	if g.closed {
		return fmt.Errorf("leave gossip: %w", ErrClosed)
	}
	if !g.isLeaving() {
		close(g.leaving)
	}
	if err := g.list.Leave(max(timeout, time.Nanosecond)); err != nil {
		return fmt.Errorf("leave gossip: %w", err)
	}
	return nil
}

func (g *Gossip) isLeaving() bool {
	select {
	case <-g.leaving:
		return true
	default:
		return false
	}
}

// Close stops without a word: the others will find this member dead. Calling
// it again does nothing.
func (g *Gossip) Close() error {
	g.lifecycle.Lock()
	defer g.lifecycle.Unlock()
	if g.closed {
		return nil
	}
	g.closed = true
	g.cancel()
	err := g.list.Shutdown()
	g.wg.Wait()
	if err != nil {
		return fmt.Errorf("close gossip: %w", err)
	}
	return nil
}
