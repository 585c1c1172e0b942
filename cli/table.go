package cli

import (
	"io"
	"strings"
	"unicode/utf8"

	"github.com/musterhq/muster/cli/paint"
)

// cell is one text of a table.
type cell struct {
	text  string
	style paint.Style
}

// table aligns rows of text. A cell's width is its number of characters.
type table struct {
	color bool
	rows  [][]cell
}

func (t *table) add(cells ...cell) { t.rows = append(t.rows, cells) }

// write prints the rows with two spaces between columns and none at the end.
func (t *table) write(w io.Writer) error {
	var widths []int
	for _, row := range t.rows {
		for i, c := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(paint.Printable(c.text)))
		}
	}
	var b strings.Builder
	for _, row := range t.rows {
		var line strings.Builder
		for i, c := range row {
			text := paint.Printable(c.text)
			line.WriteString(t.paint(c.style, text))
			line.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(text)+2))
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (t *table) paint(s paint.Style, text string) string {
	if !t.color {
		return text
	}
	return s.On(text)
}
