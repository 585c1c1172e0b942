package images

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

const (
	// askAtOnce is how many nodes are asked at a time whether they have an image.
	askAtOnce   = 8
	askDeadline = 10 * time.Second
	// stallDeadline ends a transfer in which the peer sends nothing. An engine
	// may take long to prepare the first byte of a large image.
	stallDeadline = 3 * time.Minute

	// sweepEvery is in which round nodes are asked that nobody said anything of.
	sweepEvery = 4

	busyRetryMin = 250 * time.Millisecond
	busyRetryMax = 5 * time.Second
)

// errStalled says why a transfer was ended.
var errStalled = fmt.Errorf("it sent nothing for %v", stallDeadline)

// search is one attempt to get one image, with what was tried so far.
type search struct {
	*Fetcher
	digest    string
	preferred cluster.NodeID
	idle      *atomic.Bool // nobody waits for the image
	tried     []string
	found     bool   // somebody has the image
	known     string // its ID by the cluster's record, once that was looked up
	unsure    bool   // a source could not be asked
	rounds    int
	likely    map[cluster.NodeID]bool // have the image, or are about to
}

// note keeps why a source failed, once for each text.
func (s *search) note(source string, err error) {
	if t := source + ": " + err.Error(); !slices.Contains(s.tried, t) {
		s.tried = append(s.tried, t)
	}
}

// holder is a node that has the image.
type holder struct {
	api.Member
	image api.NodeImage
}

// peers gets the image from any node that has it.
func (s *search) peers(ctx context.Context) error {
	_, err := s.fromNodes(ctx, false)
	return err
}

// preferredPeer gets the image from the preferred node; done is false when that
// could not give it.
func (s *search) preferredPeer(ctx context.Context) (done bool, err error) {
	return s.fromNodes(ctx, true)
}

func (s *search) fromNodes(ctx context.Context, only bool) (done bool, err error) {
	for pause := busyRetryMin; ; pause = min(2*pause, busyRetryMax) {
		got, busy := s.round(ctx, only)
		switch {
		case got:
			return true, nil
		case ctx.Err() != nil:
			return true, s.failed(ctx.Err())
		case only && !busy:
			return false, nil
		case !busy && (s.found || s.unsure):
			return true, s.failed(nil)
		case !busy:
			return true, s.failed(runtime.ErrNotFound)
		}
		select {
		case <-time.After(pause/2 + rand.N(pause/2)):
		case <-ctx.Done():
			return true, s.failed(ctx.Err())
		}
	}
}

// round goes through the candidates once: first those that are likely to have
// the image and, unless all of them are just busy, the others. They are asked
// too in every sweepEvery-th round.
func (s *search) round(ctx context.Context, only bool) (got, busy bool) {
	likely, others := s.candidates(only)
	s.rounds++
	if got, busy = s.try(ctx, likely); got || ctx.Err() != nil || busy && s.rounds%sweepEvery != 0 {
		return got, busy
	}
	got, more := s.try(ctx, others)
	return got, busy || more
}

// try asks nodes, some at a time, until one has given the image.
func (s *search) try(ctx context.Context, nodes []api.Member) (got, busy bool) {
	for batch := range slices.Chunk(nodes, askAtOnce) {
		for _, h := range s.ask(ctx, batch) {
			err := s.get(ctx, h)
			if err == nil {
				return true, false
			}
			if ctx.Err() != nil {
				return false, false
			}
			busy = s.isBusy(err) || busy
			s.log.Debug("a node did not give an image", "image", s.digest, "node", h.Name, "error", err)
			s.note("node "+h.Name, err)
		}
		if busy && len(s.likely) > 0 {
			return false, true // they know more than the rest
		}
	}
	return false, busy
}

// candidates are the nodes to ask, in an order that spreads the load: first those
// that are likely to have the image.
func (s *search) candidates(only bool) (likely, others []api.Member) {
	for _, m := range s.cfg.Members() {
		switch {
		case m.ID == s.cfg.Self:
		case m.Condition != cluster.Ready:
			s.unsure = s.unsure || m.Condition != cluster.Down // it may be back in a moment, and have it
		case only && m.ID != s.preferred:
		case s.likely[m.ID]:
			likely = append(likely, m)
		default:
			others = append(others, m)
		}
	}
	rand.Shuffle(len(likely), func(i, j int) { likely[i], likely[j] = likely[j], likely[i] })
	rand.Shuffle(len(others), func(i, j int) { others[i], others[j] = others[j], others[i] })
	return likely, others
}

// suppose notes nodes that are likely to have the image.
func (s *search) suppose(nodes ...cluster.NodeID) {
	if s.likely == nil {
		s.likely = map[cluster.NodeID]bool{}
	}
	for _, n := range nodes {
		s.likely[n] = true
	}
}

// ask returns those of the nodes that have the image.
func (s *search) ask(ctx context.Context, nodes []api.Member) []holder {
	ctx, cancel := context.WithTimeout(ctx, askDeadline)
	defer cancel()
	path := "/v1/node/images?" + url.Values{"digest": {s.digest}}.Encode()
	answers := make([][]api.NodeImage, len(nodes))
	errs := make([]error, len(nodes))
	var wg sync.WaitGroup
	for i, m := range nodes {
		wg.Go(func() { errs[i] = s.cfg.Peers.Call(ctx, m.ID, http.MethodGet, path, nil, &answers[i]) })
	}
	wg.Wait()
	var out []holder
	for i, m := range nodes {
		if errs[i] != nil {
			s.unsure = true
			s.note("node "+m.Name, errs[i])
			continue
		}
		if at := slices.IndexFunc(answers[i], s.matches); at >= 0 {
			s.found = true
			s.suppose(m.ID)
			out = append(out, holder{m, answers[i][at]})
		}
	}
	return out
}

func (s *search) matches(i api.NodeImage) bool {
	return i.ID == s.digest || slices.Contains(i.Digests, s.digest) ||
		isRepository(s.digest) && slices.Contains(i.Tags, runtime.PeerTag(s.digest))
}

// get brings the image from a node into the engine and checks what came.
func (s *search) get(ctx context.Context, h holder) error {
	if err := s.verify(ctx, h); err != nil {
		return err
	}
	err := errWhole
	if s.cfg.Store != nil {
		err = s.byLayers(ctx, h)
	}
	if errors.Is(err, errWhole) {
		err = s.load(ctx, h)
	}
	if err != nil {
		return err
	}
	if err := s.name(ctx, h.image); err != nil {
		return err
	}
	here, err := s.cfg.Engine.HasImage(ctx, s.digest)
	if err == nil && !here {
		err = errors.New("it sent an image that is not the one asked for")
	}
	return err
}

// load streams the whole image out of a node into the engine.
func (s *search) load(ctx context.Context, h holder) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	body, err := s.cfg.Peers.Stream(ctx, h.ID, http.MethodGet, "/v1/node/image?"+s.query(h.image.ID), nil)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	ids, err := s.cfg.Engine.Load(ctx, &watched{r: body, stalled: func() { cancel(errStalled) }})
	switch {
	case errors.Is(context.Cause(ctx), errStalled):
		return errStalled
	case err != nil:
		return fmt.Errorf("load the image: %w", err)
	case !slices.Contains(ids, h.image.ID):
		return fmt.Errorf("it sent image %s instead of %s", strings.Join(ids, ", "), h.image.ID)
	}
	return nil
}

// name gives the loaded image the names under which it is looked for.
func (s *search) name(ctx context.Context, i api.NodeImage) error {
	if isRepository(s.digest) {
		if err := s.cfg.Engine.Tag(ctx, i.ID, runtime.PeerTag(s.digest)); err != nil {
			return fmt.Errorf("tag the image: %w", err)
		}
	}
	for _, ref := range i.Tags {
		if strings.HasPrefix(ref, runtime.PeerRepository+":") {
			continue
		}
		used, err := s.cfg.Engine.HasImage(ctx, ref)
		if err == nil && !used {
			err = s.cfg.Engine.Tag(ctx, i.ID, ref)
		}
		if err != nil {
			return fmt.Errorf("tag the image as %s: %w", ref, err)
		}
	}
	return nil
}

// failed words the end of the search; cause may be nil.
func (s *search) failed(cause error) error {
	tried := s.tried
	if !s.found {
		tried = append(tried, "no node that answers has it")
	}
	const next = "make its registry reachable for this node, or run `muster image push` where the image is"
	why := strings.Join(tried, "; ")
	if cause == nil {
		return fmt.Errorf("bring image %s to this node: %s; %s", s.digest, why, next)
	}
	return fmt.Errorf("bring image %s to this node: %w (%s); %s", s.digest, cause, why, next)
}

// isBusy reports whether a node has the image but sends too many already, and
// notes where else it says that the image is.
func (s *search) isBusy(err error) bool {
	var e *api.Error
	if !errors.As(err, &e) || e.Code != api.CodeUnavailable {
		return errors.Is(err, errBeingWritten)
	}
	s.suppose(e.Try...)
	return true
}

// watched calls stalled when a read takes too long.
type watched struct {
	r       io.Reader
	stalled func()
}

func (w *watched) Read(p []byte) (int, error) {
	t := time.AfterFunc(stallDeadline, w.stalled)
	defer t.Stop()
	return w.r.Read(p)
}
