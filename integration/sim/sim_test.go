package sim

import (
	"testing"
)

func BenchmarkSeeds(b *testing.B) {
	seed := uint64(0)
	for b.Loop() {
		seed++
		Run(Config{Seed: seed})
	}
}
