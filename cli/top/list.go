package top

import (
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/musterhq/muster/cli/paint"
)

// gap is the space between two columns, gutter that before the first.
const (
	gap    = 2
	gutter = 2
)

// list draws the titles and as many rows as fit.
func (m Model) list(p pane, rows []row, height int) []string {
	l := m.lists[p]
	visible := rows[min(l.top, len(rows)):min(l.top+height, len(rows))]
	columns, widths := fitColumns(columnsOf[p], rows, m.width-gutter)
	var title strings.Builder
	for n, i := range columns {
		name := columnsOf[p][i].title
		if i == l.sort && p == m.pane {
			name += map[bool]string{true: "-", false: "+"}[l.descend]
		}
		title.WriteString(fit(name, widths[n], columnsOf[p][i].right) + strings.Repeat(" ", gap))
	}
	lines := []string{m.paint(paint.Bold, cut(strings.Repeat(" ", gutter)+strings.TrimRight(title.String(), " "), m.width))}
	chosen := m.chosen(rows)
	for n, r := range visible {
		lines = append(lines, m.line(p, r, columns, widths, p == m.pane && l.top+n == chosen))
	}
	if len(rows) == 0 {
		lines = append(lines, strings.Repeat(" ", gutter)+m.nothing(p))
	}
	return lines
}

// nothing says why a list is empty.
func (m Model) nothing(p pane) string {
	switch {
	case m.filter != "" && p == m.pane:
		return cut("nothing matches "+m.filter, m.width-gutter)
	case p == servicesPane || p == tasksPane:
		return cut("none yet; deploy one with: muster deploy -f compose.yaml", m.width-gutter)
	}
	return "none"
}

// line draws a row; the chosen one has a mark, and is reversed where there are
// colours.
func (m Model) line(p pane, r row, columns, widths []int, chosen bool) string {
	var b strings.Builder
	for n, i := range columns {
		text := fit(r.cells[i].text, widths[n], columnsOf[p][i].right)
		if !chosen {
			text = m.paint(r.cells[i].style, text)
		}
		b.WriteString(text + strings.Repeat(" ", gap))
	}
	if !chosen {
		return "  " + strings.TrimRight(b.String(), " ")
	}
	text := fit("> "+strings.TrimRight(b.String(), " "), m.width, false)
	return m.paint(paint.Reverse, text)
}

// Cells that a column is squeezed to before another one is left out.
const (
	squeezed     = 28
	squeezedText = 20 // the last column: text of any length
)

// fitColumns chooses the columns that fit and their widths; those of the highest
// rank go first.
func fitColumns(all []column, rows []row, width int) (columns, widths []int) {
	natural := make([]int, len(all))
	for i, c := range all {
		natural[i] = ansi.StringWidth(c.title) + 1 // room for the sort mark
		for _, r := range rows {
			natural[i] = max(natural[i], ansi.StringWidth(r.cells[i].text))
		}
		columns = append(columns, i)
	}
	minimum := func() int {
		sum := -gap
		for _, i := range columns {
			most := squeezed
			if i == len(all)-1 {
				most = squeezedText
			}
			sum += min(natural[i], most) + gap
		}
		return sum
	}
	for minimum() > width {
		worst := -1
		for n, i := range columns {
			if all[i].rank > 0 && (worst < 0 || all[i].rank >= all[columns[worst]].rank) {
				worst = n
			}
		}
		if worst < 0 {
			break
		}
		columns = slices.Delete(columns, worst, worst+1)
	}
	return columns, squeeze(columns, natural, width)
}

// squeeze gives each column its width, and takes from the widest what is too much.
func squeeze(columns, natural []int, width int) []int {
	widths := make([]int, len(columns))
	sum := -gap
	for n, i := range columns {
		widths[n] = natural[i]
		sum += natural[i] + gap
	}
	for ; sum > width; sum-- {
		widest := 0
		for n := range widths {
			if widths[n] > widths[widest] {
				widest = n
			}
		}
		if widths[widest] <= 1 {
			break
		}
		widths[widest]--
	}
	return widths
}

// newsLines are the newest events, below another list.
func (m Model) newsLines() []string {
	m.filter, m.lists[eventsPane].top = "", 0
	full := m
	full.pane = eventsPane
	rows := full.rows()
	lines := m.list(eventsPane, rows[:min(len(rows), newsRows)], newsRows)
	for len(lines) < newsRows+1 {
		lines = append(lines, "")
	}
	return lines
}

var helpLines = []string{
	"",
	"Tab, left, right        next or previous list; 1-4 go to one",
	"up, down, PgUp, PgDn    move; Home and End go to the ends",
	"Enter                   on a node or service: its tasks",
	"F3, F4, /               filter by words, =word by a whole field; Esc drops it",
	"F6, < and >             sort by another column; I turns the order round",
	"P M T N S               sort by CPU, memory, age, name, state",
	"F10, q                  quit",
	"",
	"CPU is in cores, used of there is. What nobody measured is shown as -.",
	"Nodes measure their tasks only while somebody looks at them.",
	"",
	"Any key goes back.",
}

func (m Model) helpText() []string {
	out := make([]string, len(helpLines))
	for i, l := range helpLines {
		out[i] = cut(l, m.width)
	}
	return out
}
