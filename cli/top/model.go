package top

import (
	"slices"
	"strings"
	"time"

	"github.com/musterhq/muster/cli/paint"
)

// pane is one of the lists.
type pane int

const (
	nodesPane pane = iota
	servicesPane
	tasksPane
	eventsPane
	panes
)

var paneNames = [panes]string{"Nodes", "Services", "Tasks", "Events"}

// Model is the whole state of the screen, a value: every method returns the
// next one. The zero value shows nothing; make one with New.
type Model struct {
	color         bool
	width, height int

	snapshot Snapshot
	known    bool // there is a snapshot
	now      time.Time
	failure  string // why the newest look failed; "" when it did not
	lost     time.Time

	pane   pane
	lists  [panes]listState
	filter string
	typing bool // the filter is being typed
	help   bool
	quit   bool
}

// listState is how one list is looked at.
type listState struct {
	cursor  string // ID of the chosen row; "": the first
	top     int    // first visible row
	sort    int    // column
	descend bool
}

// New makes a screen without a size; colours are SGR sequences or absent.
func New(color bool) Model {
	m := Model{color: color}
	m.lists[eventsPane] = listState{descend: true} // newest first
	return m
}

// Resized is the model on a terminal of that size.
func (m Model) Resized(width, height int) Model {
	m.width, m.height = width, height
	return m.settled()
}

// Fresh takes a new snapshot in.
func (m Model) Fresh(s Snapshot) Model {
	m.snapshot, m.known, m.now, m.failure, m.lost = s, true, s.At, "", time.Time{}
	return m.settled()
}

// Failed notes that a look failed; what was seen last stays on the screen.
func (m Model) Failed(at time.Time, why string) Model {
	if m.failure == "" {
		m.lost = at
	}
	m.now, m.failure = at, why
	return m
}

// Over reports whether the user wants to leave.
func (m Model) Over() bool { return m.quit }

// Typed takes in text for the filter; elsewhere every rune is a key.
func (m Model) typed(text string) Model {
	m.filter += text
	return m.settled()
}

// Key takes in one key, named as bubbletea names it; text is what it types.
func (m Model) Key(key, text string) Model {
	switch {
	case key == "ctrl+c":
		m.quit = true
	case m.help:
		m.help = false
	case m.typing:
		return m.filterKey(key, text)
	case m.paneKey(key):
		m.pane = m.paneFor(key)
	default:
		return m.listKey(key)
	}
	return m.settled()
}

// filterKey edits the filter: Enter keeps it, Esc drops it.
func (m Model) filterKey(key, text string) Model {
	switch key {
	case "enter":
		m.typing = false
	case "esc":
		m.typing, m.filter = false, ""
	case "backspace":
		if r := []rune(m.filter); len(r) > 0 {
			m.filter = string(r[:len(r)-1])
		}
	case "ctrl+u":
		m.filter = ""
	default:
		return m.typed(paint.Printable(text))
	}
	return m.settled()
}

var paneKeys = map[string]pane{
	"1": nodesPane, "2": servicesPane, "3": tasksPane, "4": eventsPane,
}

func (m Model) paneKey(key string) bool {
	_, direct := paneKeys[key]
	return direct || slices.Contains([]string{"tab", "shift+tab", "right", "left"}, key)
}

func (m Model) paneFor(key string) pane {
	switch key {
	case "tab", "right":
		return (m.pane + 1) % panes
	case "shift+tab", "left":
		return (m.pane + panes - 1) % panes
	}
	return paneKeys[key]
}

// sortKeys choose a column by its title, as htop does.
var sortKeys = map[string]string{"P": "CPU", "M": "MEMORY", "T": "AGE", "N": "NAME", "S": "STATE"}

func (m Model) listKey(key string) Model {
	switch key {
	case "q", "f10":
		m.quit = true
	case "?", "h", "f1":
		m.help = true
	case "/", "\\", "f3", "f4": // htop's keys for search and filter
		m.typing = true
	case "esc":
		m.filter = ""
	case "enter":
		return m.opened()
	case "f6", ">", "s":
		return m.sortedBy((m.lists[m.pane].sort + 1) % len(columnsOf[m.pane]))
	case "<":
		n := len(columnsOf[m.pane])
		return m.sortedBy((m.lists[m.pane].sort + n - 1) % n)
	case "I":
		m.lists[m.pane].descend = !m.lists[m.pane].descend
	case "P", "M", "T", "N", "S":
		for i, c := range columnsOf[m.pane] {
			if c.title == sortKeys[key] || key == "N" && i == 0 {
				return m.sortedBy(i)
			}
		}
	default:
		return m.moved(key)
	}
	return m.settled()
}

// sortedBy sorts by a column, the most of what is used first.
func (m Model) sortedBy(column int) Model {
	l := &m.lists[m.pane]
	l.sort, l.descend, l.cursor, l.top = column, columnsOf[m.pane][column].most, "", 0
	return m.settled()
}

// opened shows the tasks of the chosen node or service.
func (m Model) opened() Model {
	rows := m.rows()
	i := m.chosen(rows)
	if i < 0 || m.pane != nodesPane && m.pane != servicesPane {
		return m
	}
	m.filter, m.pane = rows[i].opens, tasksPane
	m.lists[tasksPane].cursor, m.lists[tasksPane].top = "", 0
	return m.settled()
}

// moved moves the cursor.
func (m Model) moved(key string) Model {
	rows := m.rows()
	page := max(m.body()-1, 1)
	steps := map[string]int{
		"up": -1, "k": -1, "down": 1, "j": 1, "pgup": -page, "pgdown": page, "home": -len(rows), "g": -len(rows), "end": len(rows), "G": len(rows),
	}
	step, ok := steps[key]
	if !ok || len(rows) == 0 {
		return m
	}
	i := min(max(m.chosen(rows), 0)+step, len(rows)-1)
	m.lists[m.pane].cursor = rows[max(i, 0)].id
	return m.settled()
}

// chosen is the index of the row under the cursor: the first when the chosen one
// is gone, -1 without rows.
func (m Model) chosen(rows []row) int {
	if len(rows) == 0 {
		return -1
	}
	return max(slices.IndexFunc(rows, func(r row) bool { return r.id == m.lists[m.pane].cursor }), 0)
}

// settled scrolls so that the chosen row is visible and no line is wasted.
func (m Model) settled() Model {
	if m.height == 0 {
		return m
	}
	rows := m.rows()
	l := &m.lists[m.pane]
	visible := max(m.body(), 1)
	i := max(m.chosen(rows), 0)
	l.top = max(min(l.top, i, len(rows)-visible), 0)
	if i >= l.top+visible {
		l.top = i - visible + 1
	}
	return m
}

// rows are those of the pane that pass the filter, sorted.
func (m Model) rows() []row {
	rows := rowsOf[m.pane](m)
	if words := strings.Fields(strings.ToLower(m.filter)); len(words) > 0 {
		rows = slices.DeleteFunc(rows, func(r row) bool { return !r.has(words) })
	}
	l := m.lists[m.pane]
	slices.SortStableFunc(rows, func(a, b row) int { return compare(a.cells[l.sort], b.cells[l.sort], l.descend) })
	return rows
}
