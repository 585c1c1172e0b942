package top

import (
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// style is an escape sequence of a terminal (ECMA-48, SGR); empty is plain.
type style string

const (
	plain   style = ""
	bold    style = "\x1b[1m"
	green   style = "\x1b[32m"
	yellow  style = "\x1b[33m"
	red     style = "\x1b[31m"
	cyan    style = "\x1b[36m"
	reverse style = "\x1b[7m"
	reset         = "\x1b[0m"
)

func (m Model) paint(s style, text string) string {
	if !m.color || s == plain || strings.TrimSpace(text) == "" {
		return text
	}
	return string(s) + text + reset
}

// stateStyle colours a task's or node's state.
func stateStyle(state string) style {
	switch state {
	case "running", "ready", "complete":
		return green
	case "failed", "lost", "down", "unhealthy", "backoff":
		return red
	case "stopped":
		return plain
	}
	return yellow
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
