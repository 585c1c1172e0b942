package server

import (
	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster/state"
)

// nodeImagePulled records which image a node's engine had from a registry. While
// some voter is too old for a record, none is made.
func nodeImagePulled(c *call) (any, error) {
	var in api.ImagePulled
	if err := c.decodePeer(&in); err != nil {
		return nil, err
	}
	if err := c.ownNode(in.Node); err != nil {
		return nil, err
	}
	if _, ok := parseDigest(in.Digest); !ok {
		return nil, api.Errorf(api.CodeInvalid, "%q is not a repository digest", in.Digest)
	}
	if w, err := parseImage("id", in.ID); err != nil || w.id == "" {
		return nil, api.Errorf(api.CodeInvalid, "%q is not the ID of an image", in.ID)
	}
	v, _ := c.State.View()
	note := state.NoteImages{Node: in.Node, Images: []state.PulledImage{{Digest: in.Digest, ID: in.ID}}}
	if !keepsImages(v) || v.ImageID(in.Node, in.Digest) == in.ID {
		return nil, nil
	}
	_, err := c.propose("", note)
	return nil, err
}

// nodeImageRecord answers which image a repository digest names.
func nodeImageRecord(c *call) (any, error) {
	var in api.ImageQuestion
	if err := c.decodePeer(&in); err != nil {
		return nil, err
	}
	v, _ := c.State.View()
	return api.ImageRecord{Kept: keepsImages(v), ID: v.ImageID(in.Node, in.Digest)}, nil
}

func keepsImages(v state.View) bool {
	version, _ := v.Commands()
	return version >= state.KindNoteImages.Since()
}

// nodeImageVouch has this node tell the cluster of an image that it has.
func nodeImageVouch(c *call) (any, error) {
	d, ok := parseDigest(c.r.URL.Query().Get("digest"))
	if !ok {
		return nil, api.Errorf(api.CodeInvalid, "this takes a repository digest, such as nginx@sha256:...")
	}
	return nil, c.Images.Vouch(c.ctx, d)
}

// parseDigest reads a repository digest.
func parseDigest(digest string) (string, bool) {
	w, err := parseImage("digest", digest)
	if err != nil {
		return "", false
	}
	return w.digest()
}
