package images

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/distribution/reference"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

// Engine is this host's image store.
type Engine interface {
	HasImage(ctx context.Context, digest string) (bool, error)
	ListImages(ctx context.Context) ([]runtime.Image, error)
	Layers(ctx context.Context, image string) ([]string, error)
	Pull(ctx context.Context, digest string, login *runtime.Login) error
	Load(ctx context.Context, r io.Reader) (ids []string, err error)
	Tag(ctx context.Context, id, ref string) error
}

// Peers reaches other nodes.
type Peers interface {
	Call(ctx context.Context, node cluster.NodeID, method, path string, in, out any) error
	Stream(ctx context.Context, node cluster.NodeID, method, path string, body io.Reader) (io.ReadCloser, error)
}

// Config is what a Fetcher works with.
type Config struct {
	Self    cluster.NodeID
	Engine  Engine
	Peers   Peers
	Members func() []api.Member
	// Store keeps layers on their way; nil: nodes send images as a whole only.
	Store *Store
	// Record says which image a repository digest names; nil: nodes are believed.
	Record Record
	// Login is the credential for a registry, by the domain of its references;
	// nil for none.
	Login  func(ctx context.Context, server string) *runtime.Login
	Logger *slog.Logger // nil: none
}

// Fetcher brings images to this host. It is safe for concurrent use.
type Fetcher struct {
	cfg Config
	log *slog.Logger

	flights flights // by digest

	mu     sync.Mutex
	layers map[string][]string // of images of this host, by ID
	needed int                 // fetches that somebody waits for
	early  *early              // the one that nobody waits for, or nil
}

// New makes a Fetcher.
func New(c Config) *Fetcher {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return &Fetcher{cfg: c, log: c.Logger, layers: map[string][]string{}}
}

// Fetch brings the image of a repository digest ("name@sha256:...") or an image
// ID ("sha256:..."): nothing is done when it is here, a repository digest is
// pulled, and what the registry does not give, or not soon, comes from a node
// that has it.
// References that such a node has for the image are given to it here, too,
// unless they are in use. While every node that has the image is busy, Fetch
// tries again until ctx ends. The error is runtime.ErrNotFound when the
// registry and every node that is not down said that they do not have the image.
func (f *Fetcher) Fetch(ctx context.Context, digest string) error {
	defer f.need(digest)()
	return f.fetch(ctx, digest, new(atomic.Bool))
}

// fetch is Fetch; idle says whether nobody waits for the image.
func (f *Fetcher) fetch(ctx context.Context, digest string, idle *atomic.Bool) error {
	return f.flights.together(ctx, digest, func() error {
		before := f.ids(ctx)
		err := f.bring(ctx, &search{Fetcher: f, digest: digest, idle: idle})
		if err == nil && isRepository(digest) && f.cfg.Store != nil && before != nil {
			f.note(ctx, digest, before)
		}
		return err
	})
}

// ids are the images of this host; nil when they cannot be told.
func (f *Fetcher) ids(ctx context.Context) map[string]bool {
	all, err := f.cfg.Engine.ListImages(ctx)
	if err != nil {
		return nil
	}
	out := map[string]bool{}
	for _, i := range all {
		out[i.ID] = true
	}
	return out
}

// note enters an image into the ledger that was not here before.
func (f *Fetcher) note(ctx context.Context, digest string, before map[string]bool) {
	all, err := f.cfg.Engine.ListImages(ctx)
	if err != nil {
		return // it will never be removed
	}
	for _, i := range all {
		if before[i.ID] || !slices.Contains(i.Digests, digest) && !slices.Contains(i.Tags, runtime.PeerTag(digest)) {
			continue
		}
		if err := f.cfg.Store.ledger.brought(i, digest, time.Now()); err != nil {
			f.log.Warn("an image was brought that will never be removed", "image", digest, "error", err)
		}
	}
}

// Copy brings the image from the given node, without asking the registry first,
// or else as Fetch does, and moves the reference ref to it; "" for none.
func (f *Fetcher) Copy(ctx context.Context, digest string, from cluster.NodeID, ref string) error {
	defer f.need(digest)()
	bring := func() error {
		return f.bring(ctx, &search{Fetcher: f, digest: digest, preferred: from, idle: new(atomic.Bool)})
	}
	if err := f.flights.together(ctx, digest, bring); err != nil || ref == "" {
		return err
	}
	err := f.cfg.Engine.Tag(ctx, digest, ref)
	if errors.Is(err, runtime.ErrNotFound) && isRepository(digest) {
		err = f.cfg.Engine.Tag(ctx, runtime.PeerTag(digest), ref)
	}
	if err != nil {
		return fmt.Errorf("tag image %s as %s: %w", digest, ref, err)
	}
	return nil
}

func (f *Fetcher) bring(ctx context.Context, s *search) error {
	here, err := f.cfg.Engine.HasImage(ctx, s.digest)
	if err != nil {
		return fmt.Errorf("bring image %s to this node: %w", s.digest, err)
	}
	if here {
		return nil
	}
	if s.preferred != "" {
		if done, err := s.preferredPeer(ctx); done {
			return err
		}
	}
	if !isRepository(s.digest) {
		return s.peers(ctx)
	}
	return s.registryOrPeers(ctx)
}

// registryPatience is how long a pull has to itself. After that, nodes that have
// the image are asked as well, and the first that gives it ends the other.
const registryPatience = 10 * time.Second

func (s *search) registryOrPeers(ctx context.Context) error {
	pull, stopPull := context.WithCancel(ctx)
	peers, stopPeers := context.WithCancel(ctx)
	defer stopPeers()
	pulled := make(chan error, 1)
	var pulling sync.WaitGroup
	defer pulling.Wait()
	defer stopPull()
	pulling.Go(func() {
		err := s.pull(pull)
		pulled <- err
		if err == nil {
			stopPeers()
		}
	})
	select {
	case err := <-pulled:
		if over, err := s.judge(ctx, err); over {
			return err
		}
		return s.peers(ctx)
	case <-time.After(registryPatience):
	}
	s.log.Info("the registry is slow, asking nodes for an image as well", "image", s.digest, "after", registryPatience)
	fromPeers := s.peers(peers)
	if fromPeers == nil {
		return nil
	}
	if over, err := s.judge(ctx, <-pulled); over {
		return err
	}
	return fromPeers
}

// pull lets the engine ask the registry.
func (s *search) pull(ctx context.Context) error {
	var login *runtime.Login
	if named, err := reference.ParseNormalizedNamed(s.digest); err == nil && s.cfg.Login != nil {
		login = s.cfg.Login(ctx, reference.Domain(named))
	}
	if err := s.cfg.Engine.Pull(ctx, s.digest, login); err != nil {
		return err
	}
	s.pulled(ctx, s.digest)
	return nil
}

// judge reports whether a pull that ended so ends the search.
func (s *search) judge(ctx context.Context, err error) (over bool, _ error) {
	switch {
	case err == nil:
		return true, nil
	case ctx.Err() != nil, errors.Is(err, runtime.ErrEngine):
		return true, fmt.Errorf("bring image %s to this node: %w", s.digest, err)
	}
	s.log.Debug("the registry does not give an image, asking nodes", "image", s.digest, "error", err)
	s.unsure = s.unsure || !errors.Is(err, runtime.ErrNotFound)
	s.note("the registry", err)
	return false, nil
}

// isRepository tells a repository digest from an image ID.
func isRepository(digest string) bool { return strings.Contains(digest, "@") }
