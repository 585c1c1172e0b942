package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/api/client"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
	"github.com/musterhq/muster/runtime"
	"github.com/musterhq/muster/runtime/fake"
)

// at is a time of the tests, in milliseconds.
func at(ms int) time.Time { return time.Date(2026, 1, 1, 0, 0, 0, ms*1e6, time.UTC) }

type oldLine struct {
	ms   int
	text string
}

// script makes an engine's output: what exists, then what is sent over live
// until that is closed or ctx ends.
func script(old []oldLine, live <-chan oldLine) func(context.Context, string, runtime.LogOptions, runtime.LogWriter) error {
	return func(ctx context.Context, _ string, o runtime.LogOptions, w runtime.LogWriter) error {
		var out []oldLine
		for _, l := range old {
			if !at(l.ms).Before(o.Since) {
				out = append(out, l)
			}
		}
		if o.Tail >= 0 {
			out = out[max(0, len(out)-o.Tail):]
		}
		for _, l := range out {
			if err := w.Log(at(l.ms), "stdout", []byte(l.text)); err != nil {
				return err
			}
		}
		for o.Follow && live != nil {
			select {
			case l, ok := <-live:
				if !ok {
					return nil
				}
				if err := w.Log(at(l.ms), "stderr", []byte(l.text)); err != nil {
					return err
				}
			case <-ctx.Done():
				return nil
			}
		}
		return nil
	}
}

func texts(t *testing.T, h *host, q client.LogQuery) []string {
	t.Helper()
	var out []string
	for l, err := range h.client.Logs(t.Context(), q) {
		if err != nil {
			t.Fatalf("after %q: %v", out, err)
		}
		out = append(out, l.Node+" "+l.Stream+" "+l.Line)
	}
	return out
}

func TestLogsMergeNodesByTime(t *testing.T) {
	r := newRing(t, nil, "a", "b", "w")
	r.deployWeb()
	for slot, name := range []string{"a", "b", "w"} {
		r.runTask(slot+1, name)
		var lines []oldLine
		for i := range 5 {
			lines = append(lines, oldLine{10*i + slot, fmt.Sprint(10*i + slot)})
		}
		r.host(name).engine.logs = script(lines, nil)
	}
	all := []string{
		"a stdout 0", "b stdout 1", "w stdout 2", "a stdout 10", "b stdout 11", "w stdout 12", "a stdout 20", "b stdout 21",
		"w stdout 22", "a stdout 30", "b stdout 31", "w stdout 32", "a stdout 40", "b stdout 41", "w stdout 42",
	}
	for _, from := range []string{"a", "b", "w"} { // any node answers
		if d := cmp.Diff(all, texts(t, r.host(from), client.LogQuery{Service: "shop/web", Tail: -1})); d != "" {
			t.Errorf("asked %s: %s", from, d)
		}
	}
	got := texts(t, r.host("w"), client.LogQuery{Stack: "shop", Tail: 1})
	if d := cmp.Diff([]string{"a stdout 40", "b stdout 41", "w stdout 42"}, got); d != "" {
		t.Errorf("tail counts for each task: %s", d)
	}
	got = texts(t, r.host("a"), client.LogQuery{Service: "shop/web", Tail: -1, Since: at(41)})
	if d := cmp.Diff([]string{"b stdout 41", "w stdout 42"}, got); d != "" {
		t.Errorf("since: %s", d)
	}
}

func TestLogsTellWhatCannotBeRead(t *testing.T) {
	r := newRing(t, nil, "a", "b", "w", "x")
	r.deployWeb()
	for slot, name := range []string{"a", "b", "w", "x"} {
		r.runTask(slot+1, name)
		r.host(name).engine.logs = script([]oldLine{{slot, "hello"}}, nil)
	}
	r.host("w").stop()
	r.down("x")
	r.host("b").engine.logs = func(context.Context, string, runtime.LogOptions, runtime.LogWriter) error {
		return errors.New("the log driver cannot be read")
	}
	got := texts(t, r.host("a"), client.LogQuery{Service: "shop/web", Tail: -1})
	slices.Sort(got)
	want := []string{
		"a stdout hello",
		"b error cannot read the output on node b: the log driver cannot be read",
		"w error cannot read the output on node w: ",
		"x error cannot read the output on node x: it is down",
	}
	if len(got) != len(want) {
		t.Fatalf("got %q", got)
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("got %q, want %q", got[i], want[i])
		}
	}
}

func TestLogsOfEndedTasks(t *testing.T) {
	behave := func(runtime.Create) fake.Behaviour {
		return fake.Behaviour{Output: []fake.Line{{Stream: "stdout", Text: "hi"}}}
	}
	r := newRing(t, behave, "a")
	r.deployWeb()
	a := r.host("a")
	end := func(slot int) (cluster.TaskID, string) {
		id, c := r.runTask(slot, "a")
		a.engine.Kill(c, 1)
		r.observe(a, id, cluster.Observed{Phase: cluster.PhaseExited, Final: true, ExitCode: 1, ContainerID: c})
		return id, c
	}
	kept, _ := end(1)
	lost, c := end(2)
	a.engine.Delete(c)
	if d := cmp.Diff([]string{"a stdout hi"}, texts(t, a, client.LogQuery{Service: "shop/web", Tail: -1})); d != "" {
		t.Errorf("of the service: %s", d)
	}
	if d := cmp.Diff([]string{"a stdout hi"}, texts(t, a, client.LogQuery{Task: string(kept), Tail: -1})); d != "" {
		t.Errorf("of the task: %s", d)
	}
	// One that was asked for by name is told to be gone; following it ends.
	want := []string{"a error cannot read the output on node a: the container of task " + string(lost) + " is gone"}
	if d := cmp.Diff(want, texts(t, a, client.LogQuery{Task: string(lost), Tail: -1, Follow: true})); d != "" {
		t.Error(d)
	}
}

func TestLogsRefuseWhatIsNotThere(t *testing.T) {
	r := newRing(t, nil, "a")
	r.deployWeb()
	for want, q := range map[string]client.LogQuery{
		"there is no service shop/db": {Service: "shop/db"},
		`there is no stack "db"`:      {Stack: "db"},
		`there is no task "01"`:       {Task: "01"},
		`"web" has no stack`:          {Service: "web"},
		"name a service":              {},
	} {
		for _, err := range r.host("a").client.Logs(t.Context(), q) {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q", err, want)
			}
		}
	}
}

// follow collects lines as they come.
func follow(t *testing.T, h *host, q client.LogQuery) (next func() string, stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	q.Follow = true
	got := make(chan string)
	go func() {
		defer close(got)
		for l, err := range h.client.Logs(ctx, q) {
			if err != nil {
				return
			}
			select {
			case got <- l.Node + " " + l.Stream + " " + l.Line:
			case <-ctx.Done():
				return
			}
		}
	}()
	next = func() string {
		select {
		case l, ok := <-got:
			if !ok {
				return "the end"
			}
			return l
		case <-time.After(10 * time.Second):
			t.Fatal("no line came")
			return ""
		}
	}
	return next, func() {
		cancel()
		for range got { // until the reader has ended
		}
	}
}

func expect(t *testing.T, next func() string, want ...string) {
	t.Helper()
	for _, w := range want {
		if got := next(); got != w {
			t.Fatalf("got line %q, want %q", got, w)
		}
	}
}

func TestLogsFollow(t *testing.T) {
	r := newRing(t, nil, "a", "w")
	r.deployWeb()
	onA, onW := make(chan oldLine), make(chan oldLine)
	r.runTask(1, "a")
	r.runTask(2, "w")
	r.host("a").engine.logs = script([]oldLine{{1, "one"}, {3, "three"}}, onA)
	r.host("w").engine.logs = script([]oldLine{{2, "two"}, {4, "four"}}, onW)
	next, stop := follow(t, r.host("a"), client.LogQuery{Service: "shop/web", Tail: -1})
	defer stop()
	expect(t, next, "a stdout one", "w stdout two", "a stdout three", "w stdout four")
	onW <- oldLine{6, "six"}
	expect(t, next, "w stderr six")
	onA <- oldLine{5, "five"} // later, though older
	expect(t, next, "a stderr five")
}

func TestLogsFollowWithoutPast(t *testing.T) {
	r := newRing(t, nil, "a")
	r.deployWeb()
	live := make(chan oldLine)
	r.runTask(1, "a")
	r.host("a").engine.logs = script([]oldLine{{1, "one"}, {2, "two"}}, live)
	next, stop := follow(t, r.host("a"), client.LogQuery{Service: "shop/web", Tail: 0})
	defer stop()
	live <- oldLine{3, "three"}
	expect(t, next, "a stderr three")
}

func TestLogsFollowTasksThatComeAndRestart(t *testing.T) {
	text := make(chan string, 9)
	behave := func(runtime.Create) fake.Behaviour {
		return fake.Behaviour{Output: []fake.Line{{Stream: "stdout", Text: <-text}}}
	}
	r := newRing(t, behave, "a", "w")
	r.deployWeb()
	a, w := r.host("a"), r.host("w")
	next, stop := follow(t, w, client.LogQuery{Service: "shop/web", Tail: -1})
	defer stop()

	text <- "first"
	id, c := r.runTask(1, "w")
	expect(t, next, "w stdout first")
	text <- "other node"
	r.runTask(2, "a")
	expect(t, next, "a stdout other node")

	// A restart in place is the same container: its old lines do not come again.
	w.engine.Kill(c, 1)
	r.observe(w, id, cluster.Observed{Phase: cluster.PhaseBackoff, ContainerID: c, Restarts: 0, Started: at(1)})
	text <- "restarted"
	if err := w.engine.Start(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	r.observe(w, id, cluster.Observed{Phase: cluster.PhaseRunning, ContainerID: c, Restarts: 1, Started: at(2)})
	expect(t, next, "w stdout restarted")

	// When the service is gone and its containers have ended, so has the stream.
	r.apply(state.RemoveStack{Stack: "shop"})
	for _, h := range []*host{a, w} {
		for _, c := range h.engine.Snapshot() {
			h.engine.Kill(c.ID, 0)
		}
	}
	v, _ := stateOf{a}.View()
	for task := range v.Tasks() {
		h := r.hosts[slices.IndexFunc(r.hosts, func(h *host) bool { return h.id == task.Node })]
		r.apply(state.Reconcile{Stop: []state.StopTask{{Task: task.ID, Reason: "removed"}}})
		r.observe(h, task.ID, cluster.Observed{Phase: cluster.PhaseExited, ContainerID: task.Observed.ContainerID})
	}
	r.apply(state.Reconcile{Forget: []cluster.ServiceID{"shop/web"}})
	expect(t, next, "the end")
}

func TestNodeLogsAreOfTasksOfThisClusterOnly(t *testing.T) {
	r := newRing(t, nil, "a", "b")
	b := r.host("b")
	b.engine.AddImage("x")
	for name, labels := range map[string]map[string]string{
		"foreign":       {},
		"other cluster": {runtime.LabelCluster: "other", runtime.LabelTask: "1"},
		"no task":       {runtime.LabelCluster: r.id},
	} {
		id, err := b.engine.Create(t.Context(), runtime.Create{Name: name, Labels: labels, Spec: cluster.ContainerSpec{Image: cluster.Image{Ref: "x"}}})
		if err != nil {
			t.Fatal(err)
		}
		_, err = r.host("a").pool.Stream(t.Context(), b.id, "GET", "/v1/node/logs?container="+id, nil)
		if asError(err).Code != api.CodeNotFound {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A container that says nothing of its past does not hold up the others, and
// nothing of what it says late is lost.
func TestLogsMergeIsPatientToAPoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &lineRecorder{}
		r := newLogReader(&call{ctx: t.Context()}, logQuery{})
		r.ctx, r.out = t.Context(), rec.lines()
		source := func(name string, items ...logItem) *logSource {
			s := &logSource{nodeName: name, stream: &logStream{items: make(chan logItem, 8)}, active: true}
			for _, i := range items {
				s.stream.items <- i
			}
			r.active++
			return s
		}
		quick := source("quick", logItem{at: at(1), text: "1"}, logItem{at: at(3), text: "3"}, logItem{caughtUp: true}, logItem{at: at(9), text: "9"})
		slow := source("slow")
		close(quick.stream.items)
		began := time.Now()
		if !r.merge([]*logSource{quick, slow}) {
			t.Fatal("the merge ended early")
		}
		if took := time.Since(began); took != logPatience {
			t.Errorf("the merge waited %v", took)
		}
		slow.stream.items <- logItem{at: at(2), text: "2"}
		slow.stream.items <- logItem{caughtUp: true}
		slow.stream.items <- logItem{at: at(4), text: "4"}
		close(slow.stream.items)
		r.forward(quick)
		r.forward(slow)
		for r.active > 0 {
			r.take(<-r.live)
		}
		r.reading.Wait()
		if d := cmp.Diff([]string{"1", "3"}, rec.texts()[:2]); d != "" {
			t.Error(d)
		}
		late := rec.texts()[2:]
		slices.Sort(late)
		if d := cmp.Diff([]string{"2", "4", "9"}, late); d != "" {
			t.Error(d)
		}
	})
}

func TestLongLinesAreBroken(t *testing.T) {
	line := strings.Repeat("é", maxLogLine) // two bytes each
	var parts []string
	w := &lineWriter{out: func(i logItem) error { parts = append(parts, i.text); return nil }}
	for _, l := range [][]byte{[]byte(line), nil, bytes.Repeat([]byte{0x80}, maxLogLine+1)} {
		if err := w.Log(at(1), "stdout", l); err != nil {
			t.Fatal(err)
		}
	}
	if len(parts) != 2+1+2 {
		t.Fatalf("%d parts", len(parts))
	}
	if parts[0]+parts[1] != line || !utf8.ValidString(parts[0]) || parts[2] != "" {
		t.Error("a long line was not broken between characters")
	}
	if len(parts[3]) != maxLogLine || len(parts[4]) != 1 {
		t.Errorf("a line that is no text was broken into %d and %d bytes", len(parts[3]), len(parts[4]))
	}
}
