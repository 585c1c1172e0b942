package state

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/cluster"
)

// grown plays a command that has grown: its kind is of version 1, some of its
// fields came later.
type grown struct {
	Name  string          `cbor:"1,keyasint"`
	Parts []part          `cbor:"2,keyasint,omitempty"`
	Named map[string]part `cbor:"3,keyasint,omitempty"`
	At    time.Time       `cbor:"4,keyasint"`
	Plan  *part           `cbor:"5,keyasint,omitempty"`
	Pair  [2]part         `cbor:"6,keyasint"`
	Fresh []string        `cbor:"7,keyasint,omitempty" since:"3"`
}

type part struct {
	Size int `cbor:"1,keyasint"`
	Seed int `cbor:"2,keyasint,omitempty" since:"2"`
}

func TestNeedsTheNewestFieldThatIsSet(t *testing.T) {
	l := laterFields{}
	l.note(reflect.TypeFor[grown]())
	now := time.Unix(1000, 0)
	for name, tc := range map[string]struct {
		in    grown
		needs int
		at1   grown
		at2   grown
	}{
		"nothing new":    {grown{Name: "a", Parts: []part{{Size: 1}}}, 1, grown{Name: "a", Parts: []part{{Size: 1}}}, grown{Name: "a", Parts: []part{{Size: 1}}}},
		"in a list":      {grown{Parts: []part{{1, 0}, {2, 9}}}, 2, grown{Parts: []part{{1, 0}, {2, 0}}}, grown{Parts: []part{{1, 0}, {2, 9}}}},
		"in a map":       {grown{Named: map[string]part{"x": {1, 9}}}, 2, grown{Named: map[string]part{"x": {1, 0}}}, grown{Named: map[string]part{"x": {1, 9}}}},
		"behind a link":  {grown{Plan: &part{1, 9}}, 2, grown{Plan: &part{1, 0}}, grown{Plan: &part{1, 9}}},
		"in an array":    {grown{Pair: [2]part{{1, 9}}}, 2, grown{Pair: [2]part{{1, 0}}}, grown{Pair: [2]part{{1, 9}}}},
		"newer still":    {grown{At: now, Fresh: []string{"x"}}, 3, grown{At: now}, grown{At: now}},
		"empty, not set": {grown{Fresh: []string{}}, 1, grown{Fresh: []string{}}, grown{Fresh: []string{}}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := l.needs(reflect.ValueOf(&tc.in)); got != tc.needs && l[reflect.TypeFor[*grown]()] != nil {
				t.Errorf("behind a pointer it needs %d, not %d", got, tc.needs)
			}
			if got := l.needs(reflect.ValueOf(tc.in)); got != tc.needs {
				t.Errorf("needs %d, not %d", got, tc.needs)
			}
			before := fmt.Sprintf("%+v %+v", tc.in, tc.in.Plan)
			for version, want := range map[int]grown{1: tc.at1, 2: tc.at2, 3: tc.in} {
				if d := cmp.Diff(want, l.trim(reflect.ValueOf(tc.in), version).Interface()); d != "" {
					t.Errorf("at version %d (-want +got):\n%s", version, d)
				}
			}
			if after := fmt.Sprintf("%+v %+v", tc.in, tc.in.Plan); after != before {
				t.Errorf("the command was changed:\n%s\n%s", before, after)
			}
		})
	}
}

func TestOldestVoterSetsTheVersion(t *testing.T) {
	w := newWorld(t, "n1", "n2")
	if version, oldest := w.View().Commands(); version != 1 || oldest == nil {
		t.Errorf("a voter that says nothing knows version 1: got %d, %v", version, oldest)
	}
	w.must(UpdateNode{ID: "n1", Version: "new", Commands: Version})
	if version, oldest := w.View().Commands(); version != Version || oldest != nil {
		t.Errorf("got %d, %v", version, oldest)
	}
	if version, _ := w.View().Commands(); version != Version {
		t.Errorf("a worker keeps the cluster at version %d", version)
	}
	w.must(SetVoter{Node: "n2", Voter: true})
	if version, oldest := w.View().Commands(); version != 1 || oldest == nil || oldest.ID != "n2" {
		t.Errorf("got %d, %v", version, oldest)
	}
}

func TestLevelIsTheNewestVersionOfTheLog(t *testing.T) {
	w := newWorld(t, "n1", "n2")
	if w.View().Level() != 1 {
		t.Errorf("level %d before anything new", w.View().Level())
	}
	w.index++
	if res := w.Apply(w.index, Command{At: w.now, Body: RemoveToken{ID: "nobody's"}, Version: 2}); res.Err == nil {
		t.Fatal("not refused")
	}
	if w.View().Level() != 2 {
		t.Errorf("level %d: the log holds a command of version 2, refused or not", w.View().Level())
	}
	if res := w.do("", SetVoter{Node: "n2", Voter: true}); res.Err == nil || !strings.Contains(res.Err.Message, "upgrade it") {
		t.Errorf("a node of version 1 may vote on a log of version 2: %+v", res)
	}
	w.must(UpdateNode{ID: "n2", Commands: 2})
	w.must(SetVoter{Node: "n2", Voter: true})

	var snap bytes.Buffer
	if err := w.View().WriteSnapshot(&snap); err != nil {
		t.Fatal(err)
	}
	st, err := ReadSnapshot(&snap)
	if err != nil || st.View().Level() != 2 {
		t.Errorf("after a snapshot: %v, %v", st, err)
	}
}

func TestSnapshotOfANewerVersionIsRefused(t *testing.T) {
	v := newWorld(t, "n1").View()
	v.level = Version + 1
	var snap bytes.Buffer
	if err := v.WriteSnapshot(&snap); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadSnapshot(&snap); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("version %d", Version+1)) {
		t.Errorf("got %v", err)
	}
}

func TestCommandCarriesItsVersion(t *testing.T) {
	for version, want := range map[int]int{0: 1, 1: 1, 2: 2} {
		b, err := Encode(Command{Body: RemoveToken{ID: "x"}, Version: version})
		if err != nil {
			t.Fatal(err)
		}
		c, err := Decode(b)
		if err != nil || c.Version != want {
			t.Errorf("proposed at %d: got %d, %v", version, c.Version, err)
		}
	}
	b, err := Encode(Command{Body: RemoveToken{ID: "x"}, Version: Version + 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Decode(b); err == nil || !strings.Contains(err.Error(), "knows up to") {
		t.Errorf("got %v", err)
	}
}

var freeze = flag.Bool("freeze", false, "write the fields of this version to testdata; when it is released")

// TestFieldsSayWhenTheyCame holds every field of a command, and of what is
// stored, to the lists of the versions before. A field that is in no list came
// later and has to say so, or voters of different ages would make different
// states of the same log.
func TestFieldsSayWhenTheyCame(t *testing.T) {
	fields := fieldVersions()
	if *freeze {
		writeFields(t, fields, Version)
	}
	for version := 1; version < Version; version++ {
		raw, err := os.ReadFile(fieldsFile(version))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(strings.Fields(string(raw)), listFields(fields, version)); d != "" {
			t.Errorf("fields of version %d (-released +here): a field that came later needs the tag `since:\"%d\"`, one that was released stays\n%s", version, Version, d)
		}
	}
}

// Two fields of one key overwrite each other in the log, and nothing else says so.
func TestFieldsShareNoKey(t *testing.T) {
	by := map[string]string{}
	for name := range fieldVersions() {
		field, key, _ := strings.Cut(name, ":")
		at := field[:strings.LastIndex(field, ".")] + ":" + key
		if other, taken := by[at]; taken {
			t.Errorf("%s and %s have the key %s", other, field, key)
		}
		by[at] = field
	}
}

// fieldVersions is the version that brought each field that the log or a
// snapshot can hold.
func fieldVersions() map[string]int {
	out := map[string]int{}
	for k := range Kind(256) {
		if b, err := newBody(k); err == nil {
			collect(out, reflect.TypeOf(b).Elem(), k.Since())
		}
	}
	for _, t := range []reflect.Type{
		reflect.TypeFor[cluster.Identity](), reflect.TypeFor[cluster.Node](), reflect.TypeFor[cluster.Service](), reflect.TypeFor[cluster.Task](),
		reflect.TypeFor[cluster.Token](), reflect.TypeFor[namedSealed](), reflect.TypeFor[request](), reflect.TypeFor[Event](),
	} {
		collect(out, t, 1)
	}
	for _, t := range []reflect.Type{reflect.TypeFor[cluster.Settings](), reflect.TypeFor[cluster.Network](), reflect.TypeFor[givenLast]()} {
		collect(out, t, KindConfigure.Since())
	}
	return out
}

func collect(out map[string]int, t reflect.Type, version int) {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		collect(out, t.Elem(), version)
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			key, _, _ := strings.Cut(f.Tag.Get("cbor"), ",")
			if !f.IsExported() || key == "" || key == "-" {
				continue
			}
			name, since := fmt.Sprintf("%s.%s:%s", t, f.Name, key), max(version, fieldSince(f))
			if known, ok := out[name]; ok && known <= since {
				continue
			}
			out[name] = since
			collect(out, f.Type, since)
		}
	}
}

func fieldsFile(version int) string {
	return filepath.Join("testdata", fmt.Sprintf("fields-%d.txt", version))
}

func listFields(fields map[string]int, version int) []string {
	var out []string
	for name, since := range fields {
		if since <= version {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

func writeFields(t *testing.T, fields map[string]int, version int) {
	if err := os.WriteFile(fieldsFile(version), []byte(strings.Join(listFields(fields, version), "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}
