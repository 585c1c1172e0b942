package compose

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/compose-spec/compose-go/v2/schema"
	"github.com/compose-spec/compose-go/v2/tree"

	"github.com/musterhq/muster/cluster"
)

// The forms in which the loader names a field in its messages.
var (
	unknownField = regexp.MustCompile(`^(\S*) additional properties '([^']*)'.* not allowed$`)
	noSuchField  = regexp.MustCompile(`^(?:(\S*)\.)?([^.\s]+) false schema$`)
	namedField   = regexp.MustCompile(`^((?:services|networks|volumes|secrets|configs|jobs|models|name)(?:[.\[][^\s:]*)?):? (.+)$`)
	namedService = regexp.MustCompile(`^service "([^"]+)" (.+)$`)
	undecoded    = regexp.MustCompile(`^'([^']+)' (.+)$`)
	notNumber    = regexp.MustCompile(`^(?:failed to cast to expected type: )?strconv\.\w+: parsing ("[^"]*"): (.+)$`)
	notSize      = regexp.MustCompile(`^(invalid (?:suffix|size): '.*')$`)
	bracketed    = regexp.MustCompile(`\[([^\]]*[^\]0-9][^\]]*)\]`)
)

// explain turns the loader's message into a *cluster.FieldError where it names
// a field, and otherwise says what was attempted.
func (in *input) explain(err error) error {
	if fe := (*cluster.FieldError)(nil); errors.As(err, &fe) {
		return fe
	}
	msg := err.Error()
	for _, file := range in.files {
		msg = strings.TrimPrefix(msg, "validating "+file.Filename+": ")
	}
	for _, prefix := range []string{"decoding failed due to the following error(s):\n\n", "error while interpolating ", "service ports "} {
		msg = strings.TrimPrefix(msg, prefix)
	}
	msg, _, _ = strings.Cut(msg, "\n") // the first of several
	msg = strings.TrimSuffix(msg, ": invalid compose project")
	if m := unknownField.FindStringSubmatch(msg); m != nil {
		return unknown(m[1], m[2])
	}
	if m := noSuchField.FindStringSubmatch(msg); m != nil {
		return unknown(m[1], m[2])
	}
	if msg == "empty compose file" {
		return cluster.Invalid("services", "is missing: the file is empty", "name a service and its image below it")
	}
	if m := namedField.FindStringSubmatch(msg); m != nil {
		return badValue(strings.ReplaceAll(m[1], ".[", "["), m[2])
	}
	if m := namedService.FindStringSubmatch(msg); m != nil {
		return cluster.Invalid("services."+m[1], m[2], "")
	}
	if m := undecoded.FindStringSubmatch(msg); m != nil {
		return badValue(bracketed.ReplaceAllString(m[1], ".$1"), m[2])
	}
	return fmt.Errorf("read compose file: %w", err)
}

// badValue refuses what a field holds, for the loader's reason.
func badValue(field, reason string) error {
	if notSize.MatchString(reason) {
		return cluster.Invalid(field, notSize.ReplaceAllString(reason, "is no size: $1"), "write it as 512M or 1.5G")
	}
	return cluster.Invalid(field, notNumber.ReplaceAllString(reason, "$1 is not a number: $2"), "")
}

// unknown refuses a field that the specification does not have.
func unknown(parent, name string) error {
	field := strings.TrimPrefix(parent+"."+name, ".")
	hint := "remove it, or start its name with x- if it is a note of your own"
	if s := suggest(parent, name); s != "" {
		hint = fmt.Sprintf("did you mean %q?", s)
	}
	return cluster.Invalid(field, "is not a field of the Compose specification", hint)
}

// suggest finds the field below parent that was probably meant: one spelled
// nearly so, or one of that name further down ("replicas" is "deploy.replicas").
func suggest(parent, name string) string {
	var near, deeper string
	best := 3
	place := strings.Split(parent, ".")
	if parent == "" {
		place = nil
	}
	for _, known := range schema.AttributePaths() {
		parts := known.Parts()
		if len(parts) <= len(place) || !below(parts, place) {
			continue
		}
		rest, last := parts[len(place):], parts[len(parts)-1]
		switch {
		case last == tree.PathMatchAll:
		case len(rest) == 1:
			if d := distance(name, last); d < best && d < len(name) {
				near, best = last, d
			}
		case last == name && deeper == "" && !strings.ContainsAny(strings.Join(rest, ""), "*["):
			deeper = strings.Join(rest, ".")
		}
	}
	if near != "" {
		return near
	}
	return deeper
}

// below reports whether the path parts lies below place, which names objects
// where parts has wildcards.
func below(parts, place []string) bool {
	for i, want := range place {
		if parts[i] != want && parts[i] != tree.PathMatchAll && parts[i] != tree.PathMatchList {
			return false
		}
	}
	return true
}

// distance is the number of letters to insert, delete or replace between a and b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
