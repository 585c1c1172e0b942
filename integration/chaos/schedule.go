package chaos

import (
	"math/rand/v2"
	"time"
)

// Step is one fault of a schedule. What it hits is chosen by its own seed when
// it is staged, among the hosts that can be hit.
type Step struct {
	Class string
	Seed  uint64
	For   time.Duration // how long it lasts
}

// Schedule yields the faults of a seed, without end. Every class comes once
// before any comes again.
func Schedule(seed uint64, classes []string) func() Step {
	r := rand.New(rand.NewPCG(seed, 1))
	var deck []string
	return func() Step {
		if len(deck) == 0 {
			deck = append(deck, classes...)
			r.Shuffle(len(deck), func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
		}
		s := Step{Class: deck[0], Seed: r.Uint64(), For: time.Duration(1000+r.IntN(5000)) * time.Millisecond}
		deck = deck[1:]
		return s
	}
}
