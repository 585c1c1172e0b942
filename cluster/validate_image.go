package cluster

import (
	"fmt"
	"regexp"
	"strings"
)

// MaxImageRef is the longest image reference, in bytes: Docker's 255 for the
// name, and tag and digest behind it.
const MaxImageRef = 512

var (
	// imageRef is the grammar of a reference in the distribution project:
	// [domain/]path[:tag][@digest], the path in lower case.
	imageRef = regexp.MustCompile(`^` +
		`(?:(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?/)?` +
		`[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*` +
		`(?::[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127})?` +
		`(?:@sha256:[a-f0-9]{64})?$`)
	imageID = regexp.MustCompile(`^sha256:[a-f0-9]{64}$`)
)

// Validate reports the first rule that i breaks as a *FieldError; field is the
// place of i. The digest may be empty: the image is not resolved yet.
func (i Image) Validate(field string) error {
	const hint = "write it as name:tag, such as nginx:1.27"
	switch {
	case i.Ref == "":
		return Invalid(field, "is empty", hint)
	case len(i.Ref) > MaxImageRef:
		return Invalid(field, fmt.Sprintf("has %d characters, at most %d are allowed", len(i.Ref), MaxImageRef), hint)
	case !imageRef.MatchString(i.Ref):
		return Invalid(field, fmt.Sprintf("%q is not an image reference", clip(i.Ref)), hint)
	case i.Digest == "" || imageID.MatchString(i.Digest):
		return nil
	case len(i.Digest) > MaxImageRef || !strings.Contains(i.Digest, "@sha256:") || !imageRef.MatchString(i.Digest):
		return Invalid(field, fmt.Sprintf("%q is not a digest", clip(i.Digest)), "resolve the image again")
	}
	return nil
}
