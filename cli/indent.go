package cli

import (
	"bytes"
	"io"
)

// indented writes whole lines two spaces in.
func indented(w io.Writer) io.Writer { return lineIndent{w} }

type lineIndent struct{ w io.Writer }

func (l lineIndent) Write(p []byte) (int, error) {
	for line := range bytes.Lines(p) {
		if _, err := l.w.Write(append([]byte("  "), line...)); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}
