package paint

import "strings"

// Style is an escape sequence of a terminal (ECMA-48, SGR); empty is plain.
type Style string

// Styles.
const (
	Plain   Style = ""
	Bold    Style = "\x1b[1m"
	Green   Style = "\x1b[32m"
	Yellow  Style = "\x1b[33m"
	Red     Style = "\x1b[31m"
	Cyan    Style = "\x1b[36m"
	Reverse Style = "\x1b[7m"
	reset         = "\x1b[0m"
)

// On is the text in the style.
func (s Style) On(text string) string {
	if s == Plain || strings.TrimSpace(text) == "" {
		return text
	}
	return string(s) + text + reset
}

// State is the colour of a task's or node's state.
func State(state string) Style {
	switch state {
	case "running", "ready", "complete":
		return Green
	case "failed", "lost", "down", "unhealthy", "backoff":
		return Red
	case "stopped":
		return Plain
	}
	return Yellow
}

// Printable keeps what others wrote on one line and away from the terminal's
// controls.
func Printable(s string) string {
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
