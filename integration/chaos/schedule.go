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
// before any comes again. The first time they are short, so that a run of some
// minutes gets to most of them.
func Schedule(seed uint64, classes []string) func() Step {
	r := rand.New(rand.NewPCG(seed, 1))
	var deck []string
	longest := 4000
	return func() Step {
		if len(deck) == 0 {
			deck = append(deck, classes...)
			r.Shuffle(len(deck), func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
		}
		s := draw(r, deck[0], longest)
		if deck = deck[1:]; len(deck) == 0 {
			longest = 20_000
		}
		return s
	}
}

// InTurn yields faults of the classes in their order, again and again.
func InTurn(seed uint64, classes []string) func() Step {
	r := rand.New(rand.NewPCG(seed, 1))
	next := 0
	return func() Step {
		next++
		return draw(r, classes[(next-1)%len(classes)], 6000)
	}
}

// draw makes a fault that lasts for a second at least, and at most for as many
// milliseconds.
func draw(r *rand.Rand, class string, longest int) Step {
	return Step{Class: class, Seed: r.Uint64(), For: time.Duration(1000+r.IntN(longest-1000)) * time.Millisecond}
}
