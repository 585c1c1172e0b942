package server

import (
	"slices"
	"strings"

	"github.com/distribution/reference"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

// wanted is an image as somebody asked for it: by ID or by name.
type wanted struct {
	id    string
	named reference.Named // nil with id
}

// parseImage reads a reference or an image ID; field is the place of ref in the
// request, for the error.
func parseImage(field, ref string) (wanted, error) {
	if err := (cluster.Image{Ref: ref}).Validate(field); err != nil {
		return wanted{}, err
	}
	if (cluster.Image{Digest: ref}).Local() && len(ref) == len("sha256:")+64 {
		return wanted{id: ref}, nil
	}
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return wanted{}, cluster.Invalid(field, err.Error(), "write it as name:tag, such as nginx:1.27")
	}
	if reference.FamiliarName(named) == runtime.PeerRepository {
		return wanted{}, cluster.Invalid(field, "the name "+runtime.PeerRepository+" is kept for images from peers", "give the image another name")
	}
	return wanted{named: reference.TagNameOnly(named)}, nil
}

func (w wanted) String() string {
	if w.named == nil {
		return w.id
	}
	return reference.FamiliarString(w.named)
}

// registry is where the image would be asked for; "" for an image ID.
func (w wanted) registry() string {
	if w.named == nil {
		return ""
	}
	return reference.Domain(w.named)
}

// digest is the repository digest that the reference carries itself.
func (w wanted) digest() (string, bool) {
	d, ok := w.named.(reference.Digested)
	if !ok {
		return "", false
	}
	return reference.FamiliarName(w.named) + "@" + d.Digest().String(), true
}

// tag is the reference without a digest, "" where it has nothing else.
func (w wanted) tag() string {
	if w.named == nil {
		return ""
	}
	t, ok := w.named.(reference.Tagged)
	if !ok {
		return ""
	}
	return reference.FamiliarName(w.named) + ":" + t.Tag()
}

func (w wanted) matches(i runtime.Image) bool {
	if w.named == nil {
		return i.ID == w.id
	}
	if d, ok := w.digest(); ok {
		return slices.Contains(i.Digests, d) || slices.Contains(i.Tags, runtime.PeerTag(d))
	}
	return slices.Contains(i.Tags, reference.FamiliarString(w.named))
}

// digestOf is what every node knows a matching image as: a repository digest,
// that of the reference's own repository before others, else the image's ID.
func (w wanted) digestOf(i runtime.Image) string {
	if w.named == nil {
		return i.ID
	}
	if d, ok := w.digest(); ok {
		return d
	}
	name := reference.FamiliarName(w.named)
	digests := slices.Sorted(slices.Values(i.Digests))
	for _, d := range digests {
		if strings.HasPrefix(d, name+"@") {
			return d
		}
	}
	if len(digests) > 0 {
		return digests[0]
	}
	for _, t := range slices.Sorted(slices.Values(i.Tags)) {
		if hash, ok := strings.CutPrefix(t, runtime.PeerRepository+":sha256-"); ok {
			return name + "@sha256:" + hash
		}
	}
	return i.ID
}
