package main

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestRoom(t *testing.T) {
	r := &room{free: vector{8000, 4096, 1700}, devices: []float64{1000, 400, 300}}
	for _, c := range []struct {
		name    string
		d       demand
		slots   int
		useless float64 // of the devices
	}{
		{"cpu decides", newDemand(3000, 1024, 0, 0), 2, 0},
		{"memory decides", newDemand(1000, 3000, 0, 0), 1, 0},
		{"too large", newDemand(9000, 1, 0, 0), 0, 1700},
		{"a share of one device", newDemand(100, 10, 1, 350), 3, 300},
		{"a whole device", newDemand(100, 10, 1, device), 1, 700},
		{"two devices of the size of one", newDemand(100, 10, 2, 800), 0, 1700},
	} {
		if got := r.slots(&c.d); got != c.slots {
			t.Errorf("%s: %d slots, want %d", c.name, got, c.slots)
		}
		if got := r.useless(&c.d, gpu); got != c.useless {
			t.Errorf("%s: %v useless, want %v", c.name, got, c.useless)
		}
	}
	// Two tasks use up the memory, and leave all of the rest that they do not need.
	if got := r.stranded(&vector{1000, 2048, 0}, cpu); got != 6000 {
		t.Errorf("%v stranded, want 6000", got)
	}
}

// TestSlotsAreGiven puts as many tasks into a room as it says it has slots for.
func TestSlotsAreGiven(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRoom(t)
		d := drawDemand(t)
		for left := r.slots(&d); left > 0 && left < 1000; left-- {
			if r.useless(&d, cpu) != 0 {
				t.Fatalf("%d slots for %+v in %+v, which does not fit", left, d, r)
			}
			r.give(&d, -1)
		}
	})
}

// TestFloorIsBelowPrice holds what the search leaves out nodes by.
func TestFloorIsBelowPrice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s demands
		d := drawDemand(t)
		for range rapid.IntRange(0, 20).Draw(t, "others") {
			other := drawDemand(t)
			s.see(&other)
		}
		s.see(&d)
		total := vector{64_000, 65_536, 4 * device}
		s.rank(&total)
		for i := range s.classes {
			s.classes[i].short = rapid.Bool().Draw(t, "short")
		}
		r := drawRoom(t)
		if r.slots(&d) == 0 {
			return
		}
		q := question{task: &d, before: r, waste: s.waste(&r), total: total, largest: total[s.scarce]}
		after := room{free: r.free, devices: append([]float64(nil), r.devices...)}
		after.give(&d, -1)
		price, floor := s.price(&q, &after), s.floor(&q)
		if price < floor || math.IsNaN(price) {
			t.Fatalf("price %v, floor %v", price, floor)
		}
	})
}

func drawDemand(t *rapid.T) demand {
	devices := rapid.IntRange(0, 2).Draw(t, "devices")
	share := device
	if devices == 1 {
		share = rapid.SampledFrom([]float64{250, 400, device}).Draw(t, "share")
	}
	return newDemand(rapid.Float64Range(100, 20_000).Draw(t, "cpu"), rapid.Float64Range(64, 30_000).Draw(t, "memory"), devices, share)
}

func drawRoom(t *rapid.T) room {
	r := room{free: vector{rapid.Float64Range(0, 64_000).Draw(t, "free cpu"), rapid.Float64Range(0, 65_536).Draw(t, "free memory")}}
	for range rapid.IntRange(0, 4).Draw(t, "node's devices") {
		has := rapid.SampledFrom([]float64{0, 250, 600, device}).Draw(t, "has")
		r.devices = append(r.devices, has)
		r.free[gpu] += has
	}
	return r
}
