package consensus

import (
	"sync"

	"github.com/musterhq/muster/cluster/state"
)

// maxDirty is how many distinct changes a Watcher remembers before it says
// "everything".
const maxDirty = 4096

// Dirty is what changed since it was last taken.
type Dirty struct {
	All     bool           // everything may have changed; Changes is empty
	Changes []state.Change // distinct, in the order of their first appearance
}

// Empty reports whether nothing changed.
func (d Dirty) Empty() bool { return !d.All && len(d.Changes) == 0 }

// Watcher is a level-triggered wake-up: C fires when something is dirty, Take
// says what, and the reader takes a fresh View after Take. A slow reader costs
// bounded memory and never blocks the log. A new Watcher begins with All.
type Watcher struct {
	hub *hub
	c   chan struct{}

	mu   sync.Mutex
	all  bool
	seen map[state.Change]struct{}
	list []state.Change
}

// C fires when there is something to take. It is never closed.
func (w *Watcher) C() <-chan struct{} { return w.c }

// Take returns what is dirty and forgets it.
func (w *Watcher) Take() Dirty {
	w.mu.Lock()
	defer w.mu.Unlock()
	d := Dirty{All: w.all, Changes: w.list}
	w.reset(false)
	return d
}

// Close ends the wake-ups.
func (w *Watcher) Close() { w.hub.remove(w) }

func (w *Watcher) reset(all bool) {
	w.all, w.list, w.seen = all, nil, nil
}

func (w *Watcher) mark(changes []state.Change, all bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case all:
		w.reset(true)
	case !w.all:
		w.add(changes)
	}
	poke(w.c)
}

func (w *Watcher) add(changes []state.Change) {
	if w.seen == nil {
		w.seen = make(map[state.Change]struct{}, len(changes))
	}
	for _, c := range changes {
		if _, ok := w.seen[c]; ok {
			continue
		}
		if len(w.list) == maxDirty {
			w.reset(true)
			return
		}
		w.seen[c] = struct{}{}
		w.list = append(w.list, c)
	}
}

// hub passes changes to the watchers.
type hub struct {
	mu       sync.Mutex
	watchers map[*Watcher]struct{}
}

func newHub() *hub { return &hub{watchers: map[*Watcher]struct{}{}} }

func (h *hub) watch() *Watcher {
	w := &Watcher{hub: h, c: make(chan struct{}, 1)}
	w.mark(nil, true)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.watchers[w] = struct{}{}
	return w
}

func (h *hub) remove(w *Watcher) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.watchers, w)
}

func (h *hub) mark(changes []state.Change) {
	if len(changes) > 0 {
		h.each(changes, false)
	}
}

func (h *hub) markAll() { h.each(nil, true) }

func (h *hub) each(changes []state.Change, all bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for w := range h.watchers {
		w.mark(changes, all)
	}
}

// poke fills a wake-up channel of capacity one.
func poke(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Watch starts a Watcher; Close it when done.
func (s *Store) Watch() *Watcher { return s.dirty.watch() }
