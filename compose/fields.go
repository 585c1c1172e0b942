package compose

import (
	"slices"
	"strings"
)

// verdict is what happens to a field.
type verdict int

const (
	group    verdict = iota // holds fields of its own
	honoured                // with everything below it
	warned                  // has no effect, and the user is told
	refused                 // would be dangerous to ignore
)

// field is the verdict on one field of the specification.
type field struct {
	// path is the specification's, in its schema's notation: "*" is a name
	// of the user's, "[]" an item of a list.
	path    string
	verdict verdict
	// note is what the documentation adds to an honoured field, and what the
	// user is told about another.
	note string
	hint string // what to do about a refused field
	// same are the values that ask for what happens anyway.
	same []string
}

// fields is the whole table, in the order of the documentation.
var fields = slices.Concat(topFields, serviceFields, storageFields, deployFields, buildFields)

// verdicts is fields by path.
var verdicts = func() map[string]field {
	out := make(map[string]field, len(fields))
	for _, f := range fields {
		out[f.path] = f
	}
	return out
}()

// obsoleteVersion is said of a file with the attribute version, which never
// reaches the walk.
var obsoleteVersion = Warning{"version", verdicts["version"].note}

// lookup finds the verdict on the field name below the pattern parent, and the
// pattern of that field.
func lookup(parent, name string) (f field, ok bool) {
	if f, ok = verdicts[join(parent, name)]; ok {
		return f, true
	}
	f, ok = verdicts[join(parent, "*")]
	return f, ok
}

// named reports whether the last part of the path is a name of the user's.
func (f field) named() bool { return strings.HasSuffix(f.path, ".*") }

func join(parent, name string) string {
	if parent == "" {
		return name
	}
	return parent + "." + name
}
