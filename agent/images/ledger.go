package images

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/musterhq/muster/runtime"
)

// Brought is an image that Muster brought to this host for a task, and that its
// registry can give again.
type Brought struct {
	ID     string    `json:"id"`
	Digest string    `json:"digest"` // of its repository
	Names  []string  `json:"names"`  // that it got with that
	Used   time.Time `json:"used"`   // last needed
}

// ledger is what Muster brought, in a file. Safe for concurrent use.
type ledger struct {
	path string

	mu      sync.Mutex
	entries map[string]Brought // by ID
}

// openLedger reads the file. One that cannot be read is begun anew: what it had
// is then nobody's to remove.
func openLedger(path string) (*ledger, error) {
	l := &ledger{path: path, entries: map[string]Brought{}}
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return l, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &l.entries)
	}
	if err == nil && l.entries == nil { // the file says null
		l.entries = map[string]Brought{}
	}
	if err != nil {
		l.entries = map[string]Brought{}
		return l, fmt.Errorf("read which images were brought here: %w", err)
	}
	return l, nil
}

// change changes the entries and writes them, if f says that it did.
func (l *ledger) change(f func(map[string]Brought) bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !f(l.entries) {
		return nil
	}
	b, err := json.Marshal(l.entries)
	if err != nil {
		return err
	}
	tmp := l.path + ".new"
	if err := os.WriteFile(tmp, b, 0o600); err != nil {
		return fmt.Errorf("note which images were brought here: %w", err)
	}
	return os.Rename(tmp, l.path)
}

func (l *ledger) all() map[string]Brought {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.entries)
}

// brought notes an image that was not here before.
func (l *ledger) brought(i runtime.Image, digest string, now time.Time) error {
	names := slices.Concat(i.Tags, i.Digests)
	return l.change(func(m map[string]Brought) bool {
		m[i.ID] = Brought{ID: i.ID, Digest: digest, Names: names, Used: now}
		return true
	})
}

// used notes which images are needed now, by ID or digest, and forgets those
// that are on this host no longer.
func (l *ledger) used(needed map[string]bool, here []runtime.Image, now time.Time) error {
	return l.change(func(m map[string]Brought) bool {
		changed := false
		for id, e := range m {
			if !slices.ContainsFunc(here, func(i runtime.Image) bool { return i.ID == id }) {
				delete(m, id)
				changed = true
			} else if needed[id] || needed[e.Digest] {
				e.Used, changed = now, true
				m[id] = e
			}
		}
		return changed
	})
}

// forget drops an image that is gone.
func (l *ledger) forget(id string) error {
	return l.change(func(m map[string]Brought) bool {
		_, ok := m[id]
		delete(m, id)
		return ok
	})
}

// victims are the images to remove, least recently used first: of those that
// Muster brought, that nobody has named since and that are not needed, all but
// the keep that were used last.
func victims(here []runtime.Image, entries map[string]Brought, needed map[string]bool, keep int) []Brought {
	var out []Brought
	for _, i := range here {
		e, ours := entries[i.ID]
		if !ours || needed[i.ID] || slices.ContainsFunc(slices.Concat(i.Tags, i.Digests), func(name string) bool {
			return needed[name] || !slices.Contains(e.Names, name)
		}) || needed[e.Digest] {
			continue
		}
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b Brought) int {
		if c := a.Used.Compare(b.Used); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return out[:max(len(out)-keep, 0)]
}

func ledgerPath(dir string) string { return filepath.Join(dir, "brought.json") }
