package cli

import (
	"io"
	"strings"
	"unicode/utf8"
)

// style is an escape sequence of a terminal (ECMA-48, SGR); empty is plain.
type style string

const (
	plain  style = ""
	green  style = "\x1b[32m"
	yellow style = "\x1b[33m"
	red    style = "\x1b[31m"
	reset        = "\x1b[0m"
)

// cell is one text of a table.
type cell struct {
	text  string
	style style
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
			widths[i] = max(widths[i], utf8.RuneCountInString(printable(c.text)))
		}
	}
	var b strings.Builder
	for _, row := range t.rows {
		var line strings.Builder
		for i, c := range row {
			text := printable(c.text)
			line.WriteString(t.paint(c.style, text))
			line.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(text)+2))
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (t *table) paint(s style, text string) string {
	if !t.color || s == plain || text == "" {
		return text
	}
	return string(s) + text + reset
}

// printable keeps what others wrote on one line and away from the terminal's
// controls.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case r < ' ' || r >= 0x7f && r < 0xa0:
			return -1
		}
		return r
	}, s)
}
