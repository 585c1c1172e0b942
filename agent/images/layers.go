package images

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/runtime"
)

// maxHead bounds the line before a layer's bytes.
const maxHead = 4 << 10

// errWhole: the node or this host cannot do it layer by layer.
var errWhole = errors.New("the image has to be sent as a whole")

// byLayers brings the image from a node, but for the layers that are here. Each
// is checked against the image's configuration, and that against the image's
// ID. What arrived before an error is kept for the next try, from whichever node.
func (s *search) byLayers(ctx context.Context, h holder) error {
	id := h.image.ID
	config, err := s.configFrom(ctx, h)
	if err != nil {
		return err
	}
	diffs, err := layersOf(config)
	if err != nil {
		return fmt.Errorf("%w: %w", errWhole, err)
	}
	defer s.cfg.Store.blobs.hold(append(diffs, id)...)()
	without := s.here(ctx, diffs)
	for {
		if err := s.receive(ctx, h, diffs[without:]); err != nil {
			return err
		}
		err := s.assemble(ctx, id, config, diffs, without)
		if err == nil || without == 0 || ctx.Err() != nil || errors.Is(err, runtime.ErrEngine) {
			return err
		}
		s.log.Debug("the engine wants every layer of an image", "image", s.digest, "error", err)
		without = 0
	}
}

// configFrom returns the image's configuration, from the node unless it is here.
func (s *search) configFrom(ctx context.Context, h holder) ([]byte, error) {
	id, b := h.image.ID, s.cfg.Store.blobs
	if config, err := b.read(id, maxConfig); err == nil {
		// The node may have to take the image apart first.
		if len(config) > 0 && s.allHere(config) {
			return config, nil
		}
	}
	body, err := s.cfg.Peers.Stream(ctx, h.ID, http.MethodGet, "/v1/node/image/config?"+s.query(id), nil)
	if err != nil {
		return nil, wholeInstead(err)
	}
	defer func() { _ = body.Close() }()
	config, err := io.ReadAll(io.LimitReader(body, maxConfig))
	if err != nil {
		return nil, fmt.Errorf("read the image's configuration: %w", err)
	}
	if sum := sha256.Sum256(config); "sha256:"+hex.EncodeToString(sum[:]) != id {
		return nil, fmt.Errorf("it sent a configuration that is not that of image %s", id)
	}
	err = b.take(id, 0, int64(len(config)), bytes.NewReader(config))
	if errors.Is(err, errNoRoom) {
		return nil, fmt.Errorf("%w: %w", errWhole, err)
	}
	return config, err
}

// allHere reports whether nothing of an image is missing.
func (s *search) allHere(config []byte) bool {
	diffs, err := layersOf(config)
	return err == nil && !slices.ContainsFunc(diffs, func(d string) bool { return !s.cfg.Store.blobs.has(d) })
}

// wholeInstead tells an answer to a question that the node does not understand,
// or cannot serve, from other errors.
func wholeInstead(err error) error {
	var e *api.Error
	if errors.As(err, &e) && e.Code != api.CodeUnavailable {
		return fmt.Errorf("%w: %w", errWhole, err)
	}
	return err
}

// query is what goes with a request for an image.
func (s *search) query(id string) string {
	q := url.Values{"id": {id}}
	if s.idle.Load() {
		q.Set("idle", "true")
	}
	return q.Encode()
}

// here counts the layers, from the lowest on, that the engine has already.
func (s *search) here(ctx context.Context, diffs []string) int {
	all, err := s.cfg.Engine.ListImages(ctx)
	if err != nil {
		return 0 // the load will say what is wrong
	}
	most := 0
	for _, i := range all {
		have, err := s.layersHere(ctx, i.ID)
		if err != nil {
			continue
		}
		n := 0
		for n < len(diffs) && n < len(have) && have[n] == diffs[n] {
			n++
		}
		most = max(most, n)
	}
	return most
}

// layersHere are the layers of an image of this host, asked for once.
func (f *Fetcher) layersHere(ctx context.Context, id string) ([]string, error) {
	f.mu.Lock()
	known, ok := f.layers[id]
	f.mu.Unlock()
	if ok {
		return known, nil
	}
	layers, err := f.cfg.Engine.Layers(ctx, id)
	if err == nil {
		f.mu.Lock()
		f.layers[id] = layers
		f.mu.Unlock()
	}
	return layers, err
}

// receive brings the layers that are not here from the node.
func (s *search) receive(ctx context.Context, h holder, diffs []string) error {
	var want api.ImageParts
	for _, d := range diffs {
		if !s.cfg.Store.blobs.has(d) && !slices.ContainsFunc(want.Layers, func(p api.LayerPart) bool { return p.Digest == d }) {
			want.Layers = append(want.Layers, api.LayerPart{Digest: d, Offset: s.cfg.Store.blobs.part(d)})
		}
	}
	if len(want.Layers) == 0 {
		return nil
	}
	body, err := json.Marshal(want)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	answer, err := s.cfg.Peers.Stream(ctx, h.ID, http.MethodPost, "/v1/node/image/layers?"+s.query(h.image.ID), bytes.NewReader(body))
	if err != nil {
		return wholeInstead(err)
	}
	defer func() { _ = answer.Close() }()
	in := bufio.NewReaderSize(&watched{r: answer, stalled: func() { cancel(errStalled) }}, maxHead)
	for _, p := range want.Layers {
		if err := s.receiveOne(p, in); err != nil {
			if errors.Is(context.Cause(ctx), errStalled) {
				return errStalled
			}
			return fmt.Errorf("receive layer %s: %w", p.Digest, err)
		}
	}
	return nil
}

func (s *search) receiveOne(p api.LayerPart, in *bufio.Reader) error {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return fmt.Errorf("read what comes: %w", err)
	}
	var head api.LayerHead
	if err := json.Unmarshal(line, &head); err != nil || head.LayerPart != p {
		return fmt.Errorf("something else came: %q", line)
	}
	err = s.cfg.Store.blobs.take(p.Digest, p.Offset, head.Size, in)
	if errors.Is(err, errNoRoom) {
		return fmt.Errorf("%w: %w", errWhole, err)
	}
	return err
}

// assemble gives the engine an image whose layers are here, without the first.
func (s *search) assemble(ctx context.Context, id string, config []byte, diffs []string, without int) error {
	in, out := io.Pipe()
	var packing sync.WaitGroup
	packing.Go(func() { _ = out.CloseWithError(s.cfg.Store.blobs.pack(out, id, config, diffs, without)) })
	ids, err := s.cfg.Engine.Load(ctx, in)
	_ = in.Close() // what was not read need not be packed
	packing.Wait()
	switch {
	case err != nil:
		return fmt.Errorf("load the image: %w", err)
	case !slices.Contains(ids, id):
		return fmt.Errorf("%w: the engine calls it %v", errWhole, ids)
	}
	return nil
}
