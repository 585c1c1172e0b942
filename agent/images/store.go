package images

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/runtime"
)

// How long what is no longer needed stays: a node that has just received an
// image hands it on without asking its engine, and a transfer that broke goes on.
const (
	keepWhole = 10 * time.Minute
	keepPart  = time.Hour
	tidyEvery = time.Minute
)

// Saver is what a Store asks of this host's image store.
type Saver interface {
	Save(ctx context.Context, image string, w io.Writer) error
}

// Store holds images on their way, in layers: what arrives here until the engine
// has it, and what leaves from here. It is safe for concurrent use.
type Store struct {
	engine Saver
	blobs  *blobs
	ledger *ledger
	out    outgoing
	taking flights // images being taken apart, by ID

	mu        sync.Mutex
	unlayered map[string]bool // IDs of images that cannot be taken apart
}

// OpenStore uses dir, in which nobody else writes. room measures its file system.
func OpenStore(dir string, engine Saver, room func(dir string) (free, size int64, err error)) (*Store, error) {
	b, err := openBlobs(dir, room)
	if err != nil {
		return nil, err
	}
	l, err := openLedger(ledgerPath(dir))
	if err != nil {
		slog.Default().Warn("images that were brought here before will not be removed", "error", err)
	}
	return &Store{engine: engine, blobs: b, ledger: l, unlayered: map[string]bool{}}, nil
}

// Run removes what is no longer needed, until ctx ends.
func (s *Store) Run(ctx context.Context, log *slog.Logger) {
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	for {
		now := time.Now()
		if err := s.blobs.tidy(now.Add(-keepWhole), now.Add(-keepPart)); err != nil {
			log.Warn("layers of images that nobody needs were not removed", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Config returns the image's configuration, whose hash is the image's ID, when
// its layers can be sent. It is an *api.Error of api.CodeConflict where they
// cannot: Whole can.
func (s *Store) Config(ctx context.Context, a api.ImageAsk) ([]byte, error) {
	if config, _, err := s.ready(a.ID); err == nil {
		return config, nil
	}
	ctx, end, err := s.out.begin(ctx, a.ID, a.To, a.Idle)
	if err != nil {
		return nil, err
	}
	defer end()
	if err := s.taking.together(ctx, a.ID, func() error { return s.takeApart(ctx, a.ID) }); err != nil {
		return nil, answerOf(a.ID, err)
	}
	config, _, err := s.ready(a.ID)
	return config, answerOf(a.ID, err)
}

// ready returns an image that is here with all of its layers.
func (s *Store) ready(id string) (config []byte, diffs []string, err error) {
	if config, err = s.blobs.read(id, maxConfig); err != nil {
		return nil, nil, err
	}
	if diffs, err = layersOf(config); err != nil {
		return nil, nil, err
	}
	for _, d := range diffs {
		if !s.blobs.has(d) {
			return nil, nil, fmt.Errorf("layer %s is not here", d)
		}
	}
	return config, diffs, nil
}

// takeApart has the engine save an image and keeps its layers.
func (s *Store) takeApart(ctx context.Context, id string) error {
	s.mu.Lock()
	known := s.unlayered[id]
	s.mu.Unlock()
	if known {
		return errUnlayered
	}
	in, out := io.Pipe()
	var saving sync.WaitGroup
	var saveErr error
	saving.Go(func() {
		saveErr = s.engine.Save(ctx, id, out)
		_ = out.CloseWithError(saveErr)
	})
	err := s.blobs.unpack(id, in)
	_ = in.CloseWithError(err) // a save that goes on has nowhere to write to
	saving.Wait()
	if saveErr == nil && (errors.Is(err, tar.ErrHeader) || errors.Is(err, io.ErrUnexpectedEOF)) {
		err = errUnlayered // the engine writes something else
	}
	if errors.Is(err, errUnlayered) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.unlayered[id] = true
	}
	return err
}

// answerOf words why an image cannot be sent in layers.
func answerOf(id string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, runtime.ErrNotFound):
		return api.Errorf(api.CodeNotFound, "this node has no image %s", id)
	case errors.Is(err, errUnlayered), errors.Is(err, errNoRoom):
		return api.Errorf(api.CodeConflict, "image %s: %v", id, err).WithHint("ask for all of it")
	}
	return fmt.Errorf("take image %s apart: %w", id, err)
}

// Send writes layers of an image that Config was asked for, each after its head.
func (s *Store) Send(ctx context.Context, a api.ImageAsk, parts []api.LayerPart, w io.Writer) error {
	_, diffs, err := s.ready(a.ID)
	if err != nil {
		return api.Errorf(api.CodeNotFound, "the layers of image %s are not at hand: %v", a.ID, err)
	}
	for _, p := range parts {
		if !slices.Contains(diffs, p.Digest) {
			return api.Errorf(api.CodeInvalid, "image %s has no layer %q", a.ID, p.Digest)
		}
	}
	ctx, end, err := s.out.begin(ctx, a.ID, a.To, a.Idle)
	if err != nil {
		return err
	}
	defer end()
	defer s.blobs.hold(append(diffs, a.ID)...)()
	for _, p := range parts {
		if err := s.sendPart(ctx, p, w); err != nil {
			return fmt.Errorf("send layer %s: %w", p.Digest, err)
		}
	}
	return nil
}

func (s *Store) sendPart(ctx context.Context, p api.LayerPart, w io.Writer) error {
	f, size, err := s.blobs.open(p.Digest)
	if err != nil {
		return err
	}
	defer f.Close()
	if p.Offset < 0 || p.Offset > size {
		return fmt.Errorf("it has %d bytes, not %d", size, p.Offset)
	}
	if _, err := f.Seek(p.Offset, io.SeekStart); err != nil {
		return err
	}
	if err := json.NewEncoder(w).Encode(api.LayerHead{LayerPart: p, Size: size}); err != nil {
		return err
	}
	_, err = io.Copy(w, &cancelled{ctx, f})
	return err
}

// Whole writes all of an image as the engine saves it.
func (s *Store) Whole(ctx context.Context, a api.ImageAsk, w io.Writer) error {
	ctx, end, err := s.out.begin(ctx, a.ID, a.To, a.Idle)
	if err != nil {
		return err
	}
	defer end()
	return s.engine.Save(ctx, a.ID, w)
}

// cancelled is a reader that ends with a context.
type cancelled struct {
	ctx context.Context
	r   io.Reader
}

func (c *cancelled) Read(p []byte) (int, error) {
	if err := context.Cause(c.ctx); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
