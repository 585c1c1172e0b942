package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// files are the directory's contents, by name.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Type().IsRegular() {
			raw, err := os.ReadFile(filepath.Join(dir, e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			out[e.Name()] = string(raw)
		}
	}
	return out
}

func TestOlderBinaryRefusesWhatItDoesNotKnow(t *testing.T) {
	for name, left := range map[string]string{
		"commands": `{"format":1,"commands":3,"muster":"v2"}`,
		"layout":   `{"format":2,"commands":1,"muster":"v2"}`,
		"both":     `{"format":9,"commands":9,"muster":"v2","more":true}`,
	} {
		t.Run(name, func(t *testing.T) {
			d := tempData(t)
			if err := d.write(formatFile, []byte(left)); err != nil {
				t.Fatal(err)
			}
			before := files(t, d.path)
			_, err := d.claim("v1", 2)
			if err == nil {
				t.Fatal("it was opened")
			}
			for _, word := range []string{d.path, "muster v2", "muster v1", "nothing was changed", "or a newer one", "join again"} {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("%q does not say %q", err, word)
				}
			}
			if diff := cmp.Diff(before, files(t, d.path)); diff != "" {
				t.Errorf("it was changed:\n%s", diff)
			}
		})
	}
}

// Going back works while the log holds nothing that the older binary does not
// know.
func TestFormatFollowsTheLog(t *testing.T) {
	d := tempData(t)
	claim := func(muster string, known int, before string) {
		t.Helper()
		if got, err := d.claim(muster, known); err != nil || got != before {
			t.Errorf("%s: before was %q, not %q: %v", muster, got, before, err)
		}
	}
	holds := func(want string) {
		t.Helper()
		if got, err := d.read(formatFile); err != nil || string(got) != want {
			t.Errorf("it holds %s, not %s: %v", got, want, err)
		}
	}
	claim("v2", 2, "")
	if err := d.raise(1); err != nil {
		t.Fatal(err)
	}
	claim("v1", 1, "v2")
	claim("v2", 2, "v1")
	if err := d.raise(2); err != nil {
		t.Fatal(err)
	}
	holds(`{"format":1,"commands":2,"muster":"v2"}`)
	if err := d.raise(1); err != nil {
		t.Fatal(err)
	}
	if _, err := d.claim("v1", 1); err == nil {
		t.Error("the older binary opened a log that it does not know")
	}
	if err := d.lower(); err != nil { // the log is gone
		t.Fatal(err)
	}
	claim("v1", 1, "v2")
	holds(`{"format":1,"commands":0,"muster":"v1"}`)
}

func TestDamagedFormatIsNotOpened(t *testing.T) {
	d := tempData(t)
	if err := d.write(formatFile, []byte("{")); err != nil {
		t.Fatal(err)
	}
	if _, err := d.claim("v1", 1); err == nil || !strings.Contains(err.Error(), formatFile) {
		t.Errorf("got %v", err)
	}
}
