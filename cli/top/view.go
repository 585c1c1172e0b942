package top

import (
	"fmt"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/musterhq/muster/cli/paint"
	"github.com/musterhq/muster/cluster"
)

// Smallest screen on which a list can be read.
const (
	minWidth  = 40
	minHeight = 8
)

// newsFrom is the height from which the newest events stand below the other
// lists, and how many.
const (
	newsFrom = 32
	newsRows = 6
)

// View is the picture: height lines of at most width cells.
func (m Model) View() string {
	switch {
	case m.width == 0 || m.height == 0:
		return ""
	case m.width < minWidth || m.height < minHeight:
		return m.framed([]string{cut(fmt.Sprintf("at least %dx%d, please", minWidth, minHeight), m.width)})
	case m.help:
		return m.framed(append(m.head(), m.helpText()...))
	case !m.known:
		return m.framed(append(m.head(), "", "asking..."))
	}
	lines := append(m.head(), m.list(m.pane, m.rows(), m.body())...)
	if m.news() {
		for len(lines) < m.height-1-newsRows-1 {
			lines = append(lines, "")
		}
		lines = append(lines, m.newsLines()...)
	}
	return m.framed(lines)
}

// framed fills or cuts lines to the screen and puts the footer below.
func (m Model) framed(lines []string) string {
	for len(lines) < m.height-1 {
		lines = append(lines, "")
	}
	lines = append(lines[:m.height-1], m.footer())
	for i, l := range lines {
		lines[i] = strings.TrimRight(l, " ")
	}
	return strings.Join(lines, "\n")
}

// body is how many rows of the list fit.
func (m Model) body() int {
	n := m.height - 1 - len(m.head()) - 1 // footer, titles
	if m.news() {
		n -= newsRows + 1
	}
	return max(n, 1)
}

func (m Model) news() bool { return m.height >= newsFrom && m.pane != eventsPane }

// head is what is always there: health, load, trouble, the panes.
func (m Model) head() []string {
	s := m.snapshot.Status
	clock := ""
	if m.known {
		clock = m.snapshot.At.Local().Format("15:04:05")
	}
	health := m.paint(paint.Green, "healthy")
	switch {
	case !m.known:
		health = ""
	case s.Stale || s.Leader == "":
		health = m.paint(paint.Red, "NO LEADER")
	case !s.Healthy:
		health = m.paint(paint.Red, "not healthy")
	}
	title := fmt.Sprintf("%s  %s  %s  %s", m.paint(paint.Bold, "muster"), plural(s.Nodes, "node"), plural(s.Services, "service"), plural(s.Tasks, "task"))
	if s.Leader != "" && !s.Stale {
		title += "  " + paint.Printable(s.Leader) + " leads"
	}
	lines := []string{m.across(title+"  "+health, clock), m.load()}
	if b := m.banner(); b != "" {
		lines = append(lines, m.paint(paint.Red, cut(b, m.width)))
	}
	return append(lines, m.tabs())
}

// across puts one text at each end of a line.
func (m Model) across(left, right string) string {
	room := m.width - ansi.StringWidth(right)
	left = ansi.Truncate(left, max(room-1, 0), "~")
	return left + strings.Repeat(" ", max(room-ansi.StringWidth(left), 0)) + right
}

// load is what the nodes that are measured use together.
func (m Model) load() string {
	var cpu, cpus, mem, memory float64
	for _, n := range m.snapshot.Nodes {
		if n.CPUUsed != nil && n.MemoryUsed != nil {
			cpu, cpus = cpu+*n.CPUUsed, cpus+n.CPUs
			mem, memory = mem+float64(*n.MemoryUsed), memory+float64(n.Memory)
		}
	}
	if cpus == 0 || memory == 0 {
		return "CPU -  MEM -"
	}
	bar := max((m.width-52)/2, 0)
	return cut(fmt.Sprintf("CPU %s%.2f/%s   MEM %s%s/%s", m.bar(cpu/cpus, bar), cpu, cores(cpus),
		m.bar(mem/memory, bar), cluster.FormatBytes(int64(mem)), cluster.FormatBytes(int64(memory))), m.width)
}

// bar shows a share of a whole.
func (m Model) bar(share float64, width int) string {
	if width < 5 {
		return ""
	}
	full := min(max(int(share*float64(width)+0.5), 0), width)
	color := paint.Green
	switch {
	case share >= 0.9:
		color = paint.Red
	case share >= 0.7:
		color = paint.Yellow
	}
	return "[" + m.paint(color, strings.Repeat("|", full)) + strings.Repeat(" ", width-full) + "] "
}

// banner is the one trouble that matters most.
func (m Model) banner() string {
	s := m.snapshot.Status
	switch {
	case m.failure != "":
		since := int(m.now.Sub(m.lost).Seconds())
		return paint.Printable(fmt.Sprintf("! connection lost %ds ago, trying again: %s", since, m.failure))
	case m.known && (s.Stale || s.Leader == ""):
		return "! no leader can be reached: this is this host's own, possibly old view"
	case len(s.Problems) == 1:
		return "! " + paint.Printable(s.Problems[0])
	case len(s.Problems) > 1:
		more := fmt.Sprintf(" (and %d more: muster status)", len(s.Problems)-1)
		if m.width < 60 {
			more = fmt.Sprintf(" (+%d)", len(s.Problems)-1)
		}
		return "! " + cut(paint.Printable(s.Problems[0]), m.width-2-len(more)) + more
	}
	return ""
}

func (m Model) tabs() string {
	counts := [panes]int{len(m.snapshot.Nodes), len(m.snapshot.Services), len(m.snapshot.Tasks), len(m.snapshot.Events)}
	var parts []string
	for p := range panes {
		text := fmt.Sprintf(" %d %s ", p+1, paneNames[p])
		if m.width >= 60 {
			text = fmt.Sprintf(" %d %s %d ", p+1, paneNames[p], counts[p])
		}
		if p == m.pane {
			text = m.paint(paint.Reverse, "["+strings.TrimSpace(text)+"]")
		}
		parts = append(parts, text)
	}
	return ansi.Truncate(strings.Join(parts, ""), m.width, "~")
}

func (m Model) footer() string {
	if m.typing {
		return cut("/"+m.filter, m.width-1) + m.paint(paint.Reverse, "_")
	}
	keys := "F1 Help  Tab Next  / Filter  F6 Sort  Enter Tasks  F10 Quit"
	if m.width < 60 {
		keys = "F1 Help  Tab  / Filter  F6 Sort  q Quit"
	}
	if m.filter != "" {
		keys = "filter: " + m.filter + "  (Esc shows all)"
	}
	return m.paint(paint.Cyan, cut(keys, m.width))
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
