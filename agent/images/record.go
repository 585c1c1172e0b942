package images

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/musterhq/muster/api"
)

// noteDeadline is how long a task waits for its image's record to be made.
const noteDeadline = time.Second

// Record is the cluster's record of which image a repository digest names.
type Record interface {
	// ImageID is the image's ID on hosts of this platform, "" where nobody has
	// said so yet. kept is false while some voter is too old to keep a record.
	ImageID(ctx context.Context, digest string) (id string, kept bool, err error)
	// NoteImage says which image this host's engine had from the registry.
	NoteImage(ctx context.Context, digest, id string) error
}

// Vouch notes for the cluster which image a repository digest names, where this
// host's engine had it from the registry. It is an *api.Error of
// api.CodeNotFound where it had not.
func (f *Fetcher) Vouch(ctx context.Context, digest string) error {
	all, err := f.cfg.Engine.ListImages(ctx)
	if err != nil {
		return fmt.Errorf("look for image %s: %w", digest, err)
	}
	for _, i := range all {
		switch {
		case !slices.Contains(i.Digests, digest):
		case f.cfg.Record == nil, namesItself(digest, i.ID):
			return nil
		default:
			return f.cfg.Record.NoteImage(ctx, digest, i.ID)
		}
	}
	return api.Errorf(api.CodeNotFound, "this node did not get image %s from a registry", digest)
}

// pulled vouches for an image that has just come from its registry.
func (f *Fetcher) pulled(ctx context.Context, digest string) {
	if f.cfg.Record == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, noteDeadline)
	defer cancel()
	var e *api.Error
	switch err := f.Vouch(ctx, digest); {
	case err == nil:
	case errors.As(err, &e) && e.Code == api.CodeConflict:
		f.log.Warn("the registry gave this node another image than the cluster knows by that digest", "image", digest, "error", err)
	default:
		f.log.Debug("an image that came from the registry was not noted: it will be when a node asks for it", "image", digest, "error", err)
	}
}

// namesItself reports whether the engine's ID of an image is the repository
// digest: nobody's word is needed for that.
func namesItself(digest, id string) bool { return strings.HasSuffix(digest, "@"+id) }

// verify refuses an image that is not known to be the one that the repository
// digest names. The digest cannot be computed from what a node sends, so it
// takes the word of a node whose engine had the image from the registry, as the
// cluster has recorded it. A node that a user named is believed where there is
// no record.
func (s *search) verify(ctx context.Context, h holder) error {
	if s.cfg.Record == nil || !isRepository(s.digest) || namesItself(s.digest, h.image.ID) {
		return nil
	}
	id, kept, err := s.recorded(ctx, h)
	switch {
	case err != nil:
		s.unsure = true
		return fmt.Errorf("ask which image that is: %w", err)
	case !kept, id == h.image.ID, id == "" && h.ID == s.preferred:
		return nil
	case id == "":
		return errors.New("it has the image from another node, and no node that had it from the registry says which one it is")
	}
	return fmt.Errorf("it has image %s under that digest, the cluster knows %s", h.image.ID, id)
}

// recorded looks the image up, and has the holder say what it knows where there
// is no record yet.
func (s *search) recorded(ctx context.Context, h holder) (id string, kept bool, err error) {
	if s.known != "" {
		return s.known, true, nil
	}
	ctx, cancel := context.WithTimeout(ctx, askDeadline)
	defer cancel()
	defer func() { s.known = id }()
	id, kept, err = s.cfg.Record.ImageID(ctx, s.digest)
	if err != nil || !kept || id != "" || !slices.Contains(h.image.Digests, s.digest) {
		return id, kept, err
	}
	path := "/v1/node/image/vouch?" + url.Values{"digest": {s.digest}}.Encode()
	if err := s.cfg.Peers.Call(ctx, h.ID, http.MethodPost, path, nil, nil); err != nil {
		s.log.Debug("a node does not vouch for an image", "image", s.digest, "node", h.Name, "error", err)
	}
	return s.cfg.Record.ImageID(ctx, s.digest)
}
