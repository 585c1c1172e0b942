package sim

import (
	"fmt"
	"io"
	"time"
)

// kept is how many of the last steps a failure shows.
const kept = 50

// trace hashes every step and remembers the last ones. Steps that happen all
// the time (heartbeats, lists) are hashed only.
type trace struct {
	hash uint64 // FNV-1a
	ring [kept]step
	n    int
	out  io.Writer // also gets every step, unless nil
}

type step struct {
	at         time.Duration
	what, a, b string
	n          uint64
}

func (s step) String() string {
	return fmt.Sprintf("%10.3fs %-14s %-26s %s #%x", s.at.Seconds(), s.what, s.a, s.b, s.n)
}

// note records a step.
func (w *World) note(what, a, b string, n uint64) {
	w.mix(what, a, n)
	t := &w.trace
	t.text(b)
	s := step{w.now, what, a, b, n}
	t.ring[t.n%kept] = s
	t.n++
	if t.out != nil {
		fmt.Fprintln(t.out, s)
	}
}

// mix records a step in the hash only.
func (w *World) mix(what, a string, n uint64) {
	t := &w.trace
	t.number(uint64(w.now))
	t.text(what)
	t.text(a)
	t.number(n)
}

const prime = 1099511628211

func (t *trace) text(s string) {
	h := t.hash
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * prime
	}
	t.hash = (h ^ 0xff) * prime
}

func (t *trace) number(n uint64) {
	h := t.hash
	for range 8 {
		h = (h ^ n&0xff) * prime
		n >>= 8
	}
	t.hash = h
}

// last returns the remembered steps, oldest first.
func (t *trace) last() []string {
	var out []string
	for i := max(t.n-kept, 0); i < t.n; i++ {
		out = append(out, t.ring[i%kept].String())
	}
	return out
}
