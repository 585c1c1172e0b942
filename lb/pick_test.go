package lb

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/musterhq/muster/cluster"
)

var t0 = time.Unix(1_000_000, 0)

func frontend(n int) *Frontend {
	f := &Frontend{Service: "s/a", Port: tcp(80)}
	for i := range n {
		f.Backends = append(f.Backends, Backend{
			Task: cluster.TaskID(fmt.Sprintf("T%02d", i)), Node: "N1",
			Addr: netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), uint16(40000+i)),
		})
	}
	return f
}

func TestOrder(t *testing.T) {
	f := frontend(3)
	failing := func(at ...int) (h Health) {
		for _, i := range at {
			h = h.Fail(f.Backends[i], t0)
		}
		return h
	}
	tests := []struct {
		turn   uint64
		health Health
		want   []int
	}{
		{0, Health{}, []int{0, 1, 2}},
		{1, Health{}, []int{1, 2, 0}},
		{5, Health{}, []int{2, 0, 1}},
		{0, failing(0), []int{1, 2, 0}},
		{1, failing(0), []int{2, 1, 0}},
		{2, failing(0), []int{1, 2, 0}},
		{7, failing(0, 2), []int{1, 2, 0}},
		{1, failing(0, 1, 2), []int{1, 2, 0}},
	}
	for _, tt := range tests {
		var got []int
		for b := range f.Order(Pick{Turn: tt.turn, Health: tt.health, Now: t0}) {
			got = append(got, slices.Index(f.Backends, b))
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("turn %d, health %v (-want +got):\n%s", tt.turn, tt.health, diff)
		}
	}
}

func TestOrderOfNothing(t *testing.T) {
	for b := range frontend(0).Order(Pick{Turn: 7, Now: t0}) {
		t.Errorf("got %v from an empty port", b)
	}
}

// Whatever fails, n consecutive connections go to n different usable backends,
// every connection can reach every backend, and usable ones come first.
func TestOrderIsFair(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := frontend(rapid.IntRange(1, 12).Draw(t, "backends"))
		var h Health
		for _, i := range rapid.SliceOf(rapid.IntRange(0, len(f.Backends)-1)).Draw(t, "failing") {
			h = h.Fail(f.Backends[i], t0)
		}
		usable := 0
		for _, b := range f.Backends {
			if h.Usable(b, t0) {
				usable++
			}
		}
		round := usable
		if round == 0 {
			round = len(f.Backends)
		}
		first := map[Backend]int{}
		base := rapid.Uint64Max(1<<40).Draw(t, "turn") * uint64(round)
		for turn := range round {
			got := slices.Collect(f.Order(Pick{Turn: base + uint64(turn), Health: h, Now: t0}))
			first[got[0]]++
			for i, b := range got {
				if h.Usable(b, t0) != (i < usable) {
					t.Fatalf("turn %d: %v comes at %d of %d usable ones", turn, b, i, usable)
				}
			}
			slices.SortFunc(got, Backend.compare)
			if !slices.Equal(got, f.Backends) {
				t.Fatalf("turn %d does not visit every backend once: %v", turn, got)
			}
		}
		if len(first) != round {
			t.Fatalf("%d connections went to %d backends", round, len(first))
		}
	})
}
