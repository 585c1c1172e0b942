package top

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/musterhq/muster/api"
)

var update = flag.Bool("update", false, "write the golden files anew")

var noon = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

func TestMain(m *testing.M) {
	time.Local = time.UTC
	os.Exit(m.Run())
}

func ptr[T any](v T) *T { return &v }

// small is a cluster with something of everything.
func small() Snapshot {
	s := Snapshot{At: noon}
	s.Status = api.Status{
		ClusterID: "01JC", Leader: "n1", Voters: []string{"n1", "n2", "n3"}, Nodes: 3, Services: 2, Tasks: 4,
		Problems: []string{"node n3 is down: 2 nodes dialled it in vain", "service shop/db: 0 of 1 tasks are healthy"},
	}
	s.Nodes = []api.Node{
		{ID: "01N1", Name: "n1", Address: "10.0.0.1", State: "ready", Availability: "active", Role: "leader", CPUs: 4, Memory: 8 << 30, CPUUsed: ptr(3.7), MemoryUsed: ptr(int64(6 << 30)), Tasks: 2},
		{ID: "01N2", Name: "n2", Address: "10.0.0.2", State: "ready", Availability: "cordoned", Role: "voter", CPUs: 2, Memory: 4 << 30, CPUUsed: ptr(0.25), MemoryUsed: ptr(int64(512 << 20)), Tasks: 1},
		{ID: "01N3", Name: "n3", Address: "10.0.0.3", State: "down", Availability: "active", Role: "voter", CPUs: 2, Memory: 4 << 30},
	}
	s.Services = []api.Service{
		{Service: "shop/db", Stack: "shop", Mode: "replicated", Desired: 1, Image: "db:1", Generation: 1, Problem: "no node has 512 MiB free"},
		{Service: "shop/web", Stack: "shop", Mode: "replicated", Desired: 3, Running: 3, Healthy: 3, Image: "registry.example:5000/team/web:2.1", Generation: 4, Ports: []string{"8080->80/tcp"}},
	}
	for i, node := range []string{"n1", "n2", "n1"} {
		s.Tasks = append(s.Tasks, Task{
			Task:    api.Task{ID: fmt.Sprintf("01T%d", i+1), Service: "shop/web", Slot: i + 1, Node: node, State: "running", Restarts: i, Image: "registry.example:5000/team/web:2.1", Created: noon.Add(-time.Duration(i) * time.Hour)},
			CPUUsed: ptr(0.5 * float64(i)), MemoryUsed: ptr(int64(i+1) << 24),
		})
	}
	s.Tasks = append(s.Tasks, Task{Task: api.Task{ID: "01T4", Service: "shop/db", Slot: 1, State: "pending", Image: "db:1", Created: noon.Add(-time.Minute), Reason: "3 nodes: 512 MiB of memory are not free"}})
	s.Events = []api.Event{
		{Index: 7, At: noon.Add(-30 * time.Hour), Type: "cluster", Action: "made", Object: "01JC"},
		{Index: 9, At: noon.Add(-time.Minute), Type: "task", Action: "failed", Object: "01T0", Name: "shop/web.1", Service: "shop/web", Node: "n3", Message: "\x1b[2Jexit code 1\nand no more: 出力が途中で終わりました"},
		{Index: 12, At: noon.Add(-time.Second), Type: "node", Action: "down", Object: "01N3", Name: "n3", Node: "n3", Message: "2 nodes dialled it in vain"},
	}
	return s
}

func empty() Snapshot {
	s := Snapshot{At: noon, Status: api.Status{ClusterID: "01JC", Leader: "n1", Nodes: 1, Healthy: true}}
	s.Nodes = small().Nodes[:1]
	return s
}

func stale() Snapshot {
	s := small()
	s.Status.Leader, s.Status.Stale = "", true
	for i := range s.Nodes {
		s.Nodes[i].CPUUsed, s.Nodes[i].MemoryUsed = nil, nil
	}
	s.Tasks = Measured([]api.Task{s.Tasks[0].Task, s.Tasks[3].Task}, nil)
	return s
}

// wide has names as long as they may be, and texts in wide characters.
func wide() Snapshot {
	s := small()
	long := strings.Repeat("long", 15) + "end"
	s.Nodes[0].Name, s.Services[1].Service = long, long+"/"+long
	s.Services[0].Problem = "ディスクがいっぱいです。空き容量を確保してください。ノードを追加してください。"
	s.Tasks[0].Service = long + "/" + long
	s.Tasks[0].Image = strings.Repeat("registry.example/", 12)
	return s
}

func press(m Model, keys ...string) Model {
	for _, k := range keys {
		text := ""
		if len(k) == 1 {
			text = k
		}
		m = m.Key(k, text)
	}
	return m
}

func TestView(t *testing.T) {
	plain := func(s Snapshot, w, h int, keys ...string) Model {
		return press(New(false).Resized(w, h).Fresh(s), keys...)
	}
	for name, m := range map[string]Model{
		"nodes_80x24":       plain(small(), 80, 24),
		"services_80x24":    plain(small(), 80, 24, "2"),
		"tasks_80x24":       plain(small(), 80, 24, "3", "down"),
		"events_80x24":      plain(small(), 80, 24, "4"),
		"nodes_120x40":      plain(small(), 120, 40),
		"tasks_120x40":      plain(small(), 120, 40, "3", "P"),
		"tasks_40x10":       plain(small(), 40, 10, "3", "end"),
		"color_80x24":       press(New(true).Resized(80, 24).Fresh(small()), "tab", "tab"),
		"empty_80x24":       plain(empty(), 80, 24, "2"),
		"stale_80x24":       plain(stale(), 80, 24),
		"stale_tasks_80x24": plain(stale(), 80, 24, "3"),
		"wide_80x24":        plain(wide(), 80, 24, "2"),
		"wide_tasks_80x24":  plain(wide(), 80, 24, "3"),
		"lost_80x24":        plain(small(), 80, 24).Failed(noon.Add(time.Second), "connect to unix:///run/muster.sock: no agent is running there").Failed(noon.Add(6*time.Second), "the same"),
		"help_80x24":        plain(small(), 80, 24, "?"),
		"filter_80x24":      plain(small(), 80, 24, "3", "f3", "p", "e", "n", "d"),
		"opened_80x24":      plain(small(), 80, 24, "N", "I", "end", "enter"),
		"tiny_20x5":         plain(small(), 20, 5),
		"first_80x24":       New(false).Resized(80, 24),
	} {
		t.Run(name, func(t *testing.T) {
			got := m.View()
			file := filepath.Join("testdata", name+".txt")
			if *update {
				if err := os.WriteFile(file, []byte(got+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), got+"\n"); d != "" {
				t.Errorf("(-want +got; -update writes it anew):\n%s", d)
			}
		})
	}
}

// TestEveryViewFits: whatever is pressed and however the terminal is drawn about,
// the picture has as many lines as it, none too wide, and a chosen row in sight.
func TestEveryViewFits(t *testing.T) {
	keys := []string{
		"1", "2", "3", "4", "tab", "shift+tab", "up", "down", "pgup", "pgdown", "home", "end", "enter", "/", "esc", "backspace", "w", "e",
		"P", "M", "T", "N", "S", "I", "f6", "<", "?",
	}
	many := small()
	for i := range 300 {
		many.Tasks = append(many.Tasks, Task{Task: api.Task{ID: fmt.Sprint("more", i), Service: "many/web", Slot: i, State: "running"}})
	}
	snapshots := []Snapshot{small(), empty(), stale(), wide(), many, {At: noon}}
	rapid.Check(t, func(r *rapid.T) {
		m := New(rapid.Bool().Draw(r, "color"))
		for range rapid.IntRange(1, 40).Draw(r, "steps") {
			switch rapid.IntRange(0, 5).Draw(r, "step") {
			case 0:
				m = m.Resized(rapid.IntRange(1, 200).Draw(r, "width"), rapid.IntRange(1, 60).Draw(r, "height"))
			case 1:
				m = m.Fresh(rapid.SampledFrom(snapshots).Draw(r, "snapshot"))
			case 2:
				m = m.Failed(noon, "the agent does not answer\nin time")
			default:
				m = press(m, rapid.SampledFrom(keys).Draw(r, "key"))
			}
			view := m.View()
			if m.width == 0 {
				continue
			}
			lines := strings.Split(view, "\n")
			if len(lines) != m.height {
				r.Fatalf("%d lines on %d:\n%s", len(lines), m.height, view)
			}
			for _, l := range lines {
				if w := ansi.StringWidth(l); w > m.width {
					r.Fatalf("a line of %d cells on %d: %q", w, m.width, l)
				}
			}
			if !m.color && strings.Contains(view, "\x1b") {
				r.Fatalf("an escape sequence without colours: %q", view)
			}
			if m.known && !m.help && m.width >= minWidth && m.height >= minHeight && len(m.rows()) > 0 && !strings.Contains(ansi.Strip(view), "\n> ") {
				r.Fatalf("no chosen row in sight:\n%s", view)
			}
		}
	})
}

// TestCursorStays: a row stays chosen when others come and go.
func TestCursorStays(t *testing.T) {
	m := press(New(false).Resized(80, 24).Fresh(small()), "3", "N", "down", "down")
	rows := m.rows()
	chosen := rows[m.chosen(rows)].id
	s := small()
	s.Tasks = append([]Task{{Task: api.Task{ID: "new", Service: "a/first", Slot: 1}}}, s.Tasks...)
	m = m.Fresh(s)
	rows = m.rows()
	if got := rows[m.chosen(rows)].id; got != chosen {
		t.Errorf("%s is chosen, want %s", got, chosen)
	}
	s.Tasks = s.Tasks[:1]
	if m = m.Fresh(s); m.chosen(m.rows()) != 0 {
		t.Error("nothing is chosen after the row went")
	}
}

// TestWhatNobodyMeasuredIsLast, whichever way it is sorted.
func TestWhatNobodyMeasuredIsLast(t *testing.T) {
	m := press(New(false).Resized(120, 40).Fresh(small()), "3", "P")
	order := func() string {
		var ids []string
		for _, r := range m.rows() {
			ids = append(ids, r.id)
		}
		return strings.Join(ids, " ")
	}
	if got, want := order(), "01T3 01T2 01T1 01T4"; got != want {
		t.Errorf("most first: %s, want %s", got, want)
	}
	m = press(m, "I")
	if got, want := order(), "01T1 01T2 01T3 01T4"; got != want {
		t.Errorf("least first: %s, want %s", got, want)
	}
}

func TestQuit(t *testing.T) {
	for _, keys := range [][]string{{"q"}, {"f10"}, {"ctrl+c"}, {"/", "q", "ctrl+c"}, {"?", "ctrl+c"}} {
		if !press(New(false).Resized(80, 24).Fresh(small()), keys...).Over() {
			t.Errorf("%v does not leave", keys)
		}
	}
	if press(New(false).Resized(80, 24).Fresh(small()), "/", "q").Over() {
		t.Error("a q in the filter leaves")
	}
}

// TestNamesThatScriptsRead: `muster top -o json` is a contract.
func TestNamesThatScriptsRead(t *testing.T) {
	tasks := Measured([]api.Task{{ID: "T"}, {ID: "U"}}, []api.TaskUsage{{Task: "T", CPUUsed: ptr(0.5), MemoryUsed: 7}})
	b, err := json.Marshal(Snapshot{At: noon, Tasks: tasks})
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		At, Status, Nodes, Services, Events any
		Tasks                               []map[string]any
	}
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"T 0.5 7", "U <nil> <nil>"} {
		if s := fmt.Sprint(got.Tasks[i]["id"], " ", got.Tasks[i]["cpu_used"], " ", got.Tasks[i]["memory_used"]); s != want {
			t.Errorf("task %d: %s, want %s", i, s, want)
		}
	}
	for _, name := range []string{`"at":`, `"status":`, `"nodes":`, `"services":`, `"tasks":`, `"events":`} {
		if !strings.Contains(string(b), name) {
			t.Errorf("no %s in %s", name, b)
		}
	}
}
