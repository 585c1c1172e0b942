package top

import (
	"cmp"
	"strings"

	"github.com/musterhq/muster/cli/paint"
)

// row is one line of a list.
type row struct {
	id    string
	opens string // filter that shows what belongs to it
	cells []cell
}

// has reports whether every word is in some cell, or is one where it begins with
// an equals sign.
func (r row) has(words []string) bool {
	for _, w := range words {
		found := false
		for _, c := range r.cells {
			text := strings.ToLower(c.text)
			whole, exact := strings.CutPrefix(w, "=")
			found = found || exact && text == whole || !exact && strings.Contains(text, w)
		}
		if !found {
			return false
		}
	}
	return true
}

// cell is one text with what it is sorted by.
type cell struct {
	text   string
	style  paint.Style
	number float64 // sorts before the text where measured is set
	kind   kind
}

type kind int

const (
	worded   kind = iota // sorted by its text
	measured             // sorted by its number
	unknown              // sorted last, whatever the direction
)

func word(s string) cell { return cell{text: paint.Printable(s)} }

func number(n float64, text string) cell { return cell{text: text, number: n, kind: measured} }

var missing = cell{text: "-", kind: unknown}

func (c cell) in(s paint.Style) cell {
	c.style = s
	return c
}

// compare orders cells; what nobody measured comes last in both directions.
func compare(a, b cell, descend bool) int {
	if d := cmp.Compare(min(a.kind/unknown, 1), min(b.kind/unknown, 1)); d != 0 {
		return d
	}
	d := cmp.Or(cmp.Compare(a.number, b.number), cmp.Compare(a.text, b.text))
	if descend {
		return -d
	}
	return d
}
