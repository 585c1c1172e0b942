package main

import (
	"go/parser"
	"go/token"
	"testing"
)

// TestMutantsFit keeps the list in step with the code: what a mutant replaces is
// there once, and what remains can be parsed. Whether they are caught is for
// `make mutants`.
func TestMutantsFit(t *testing.T) {
	for _, m := range mutants {
		src, err := m.source("../..")
		if err != nil {
			t.Errorf("%s: without %s: %v", m.file, m.removed, err)
			continue
		}
		if _, err := parser.ParseFile(token.NewFileSet(), m.file, src, parser.SkipObjectResolution); err != nil {
			t.Errorf("%s: without %s: %v", m.file, m.removed, err)
		}
		if m.old == m.now {
			t.Errorf("%s: %s: nothing is changed", m.file, m.removed)
		}
	}
}
