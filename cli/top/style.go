package top

import (
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/musterhq/muster/cli/paint"
)

func (m Model) paint(s paint.Style, text string) string {
	if !m.color {
		return text
	}
	return s.On(text)
}

// fit cuts or fills a text without escape sequences to a width in cells of the
// terminal: some characters take two.
func fit(text string, width int, right bool) string {
	text = cut(text, width)
	space := strings.Repeat(" ", max(width-ansi.StringWidth(text), 0))
	if right {
		return space + text
	}
	return text + space
}

// cut shortens a text that is too wide, and shows that it did.
func cut(text string, width int) string {
	if ansi.StringWidth(text) <= width {
		return text
	}
	return ansi.Truncate(text, max(width, 0), "~")
}
