package compose

import (
	"path/filepath"
	"strings"

	"github.com/musterhq/muster/cluster"
)

// stackName is the argument, else the file's name, else its directory's,
// normalised. The error is a *cluster.FieldError.
func stackName(argument, inFile, dir string) (string, error) {
	switch {
	case argument != "":
		return argument, cluster.ValidateName("stack", argument)
	case inFile != "":
		return inFile, cluster.ValidateName("name", inFile)
	}
	if name := normalise(filepath.Base(dir)); name != "" {
		return name, nil
	}
	return "", cluster.Invalid("name", "is missing, and the directory gives none", "name the stack on the command line, or with name: in the file")
}

// normalise makes a valid name of a directory's, or nothing.
func normalise(s string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(s) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			b.WriteRune(r)
		case strings.ContainsRune("-_. ", r):
			b.WriteByte('-')
		}
	}
	name := strings.Trim(b.String(), "-")
	if len(name) > cluster.MaxNameLength {
		name = strings.TrimRight(name[:cluster.MaxNameLength], "-")
	}
	return name
}
