package lb

import (
	"encoding/json"
	"flag"
	"math"
	"math/bits"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"pgregory.net/rapid"

	"github.com/musterhq/muster/cluster"
)

var update = flag.Bool("update", false, "write what the code says into golden files")

// balanced is a frontend of n backends as Build makes it.
func balanced(b cluster.Balance, n int, weights ...int) *Frontend {
	f := frontend(n)
	f.Balance = b
	of := map[cluster.NodeID]int{}
	for i, w := range weights {
		node := cluster.NodeID("W" + f.Backends[i].Task)
		f.Backends[i].Node, of[node] = node, w
	}
	f.prepare(of)
	return f
}

// seeds are n of them, spread evenly over all, so that what is left to chance
// comes out as it does on average.
func seeds(n int) []uint64 {
	out := make([]uint64, n)
	for i := range out {
		out[i], _ = bits.Div64(uint64(i), math.MaxUint64/2, uint64(n))
	}
	return out
}

// chosen counts who is tried first, by place.
func chosen(f *Frontend, picks []Pick) []int {
	out := make([]int, len(f.Backends))
	for _, p := range picks {
		for b := range f.Order(p) {
			out[slices.Index(f.Backends, b)]++
			break
		}
	}
	return out
}

func picks(n int, more func(i int, p *Pick)) []Pick {
	out := make([]Pick, n)
	for i, seed := range seeds(n) {
		out[i] = Pick{Turn: uint64(i), Seed: seed, Now: t0}
		if more != nil {
			more(i, &out[i])
		}
	}
	return out
}

func client(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
}

// Whatever the policy: every backend comes once, those that answer before those
// that failed, and of the former those of the asked node first if that is wanted.
func TestOrderOfEveryPolicy(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 12).Draw(t, "backends")
		f := frontend(n)
		f.Balance = balances().Draw(t, "balance")
		for i := range f.Backends {
			f.Backends[i].Node = rapid.SampledFrom([]cluster.NodeID{"N1", "N2", "N3"}).Draw(t, "node")
		}
		f.prepare(map[cluster.NodeID]int{"N1": 8, "N2": 1})
		p := Pick{Turn: rapid.Uint64().Draw(t, "turn"), Seed: rapid.Uint64().Draw(t, "seed"), Source: client(rapid.IntRange(0, 1<<16).Draw(t, "client")), Node: "N1", Now: t0}
		p.Open = func(b Backend) int { return int(b.Addr.Port()) % 5 }
		p.Arrivals = Arrivals{}.Follow(&Table{}, t0)
		some := &Table{Frontends: []Frontend{{Backends: f.Backends[:rapid.IntRange(0, n).Draw(t, "new")]}}}
		p.Arrivals = p.Arrivals.Follow(some, t0.Add(-time.Second))
		for _, i := range rapid.SliceOf(rapid.IntRange(0, n-1)).Draw(t, "failing") {
			p.Health = p.Health.Fail(f.Backends[i], t0)
		}
		rank := func(b Backend) int {
			switch {
			case !p.Health.Usable(b, t0):
				return 2
			case f.Balance.Local && !b.Local("N1"):
				return 1
			}
			return 0
		}
		got := slices.Collect(f.Order(p))
		for i := 1; i < len(got); i++ {
			if rank(got[i-1]) > rank(got[i]) {
				t.Fatalf("%v comes before %v", got[i-1], got[i])
			}
		}
		slices.SortFunc(got, Backend.compare)
		if !slices.Equal(got, f.Backends) {
			t.Fatalf("not every backend comes once: %v", got)
		}
	})
}

func TestSharesByChance(t *testing.T) {
	const n = 70_000
	for name, tt := range map[string]struct {
		f    *Frontend
		want []int // of n
	}{
		"random":                  {balanced(cluster.Balance{Policy: cluster.Random}, 7), slices.Repeat([]int{n / 7}, 7)},
		"weighted":                {balanced(cluster.Balance{Policy: cluster.Weighted}, 3, 1, 2, 4), []int{n / 7, 2 * n / 7, 4 * n / 7}},
		"weighted, not measured":  {balanced(cluster.Balance{Policy: cluster.Weighted}, 2), []int{n / 2, n / 2}},
		"weights of others":       {balanced(cluster.Balance{Policy: cluster.Random}, 2, 1, 8), []int{n / 2, n / 2}},
		"weights out of bounds":   {balanced(cluster.Balance{Policy: cluster.Weighted}, 2, -3, 99), []int{n / 9, 8 * n / 9}},
		"least-request when idle": {balanced(cluster.Balance{Policy: cluster.LeastRequest}, 7), slices.Repeat([]int{n / 7}, 7)},
	} {
		t.Run(name, func(t *testing.T) {
			got := chosen(tt.f, picks(n, nil))
			for i := range tt.want {
				if d := got[i] - tt.want[i]; d < -1 || d > 1 {
					t.Errorf("got %d, want %d", got, tt.want)
				}
			}
		})
	}
}

// Of two different backends the one with fewer connections is taken, so that the
// one with the most never is.
func TestLeastRequestAvoidsTheBusiest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := balanced(cluster.Balance{Policy: cluster.LeastRequest}, rapid.IntRange(2, 10).Draw(t, "backends"))
		busiest := rapid.IntRange(0, len(f.Backends)-1).Draw(t, "busiest")
		p := Pick{Seed: rapid.Uint64().Draw(t, "seed"), Now: t0, Open: func(b Backend) int {
			if b == f.Backends[busiest] {
				return 5
			}
			return int(b.Addr.Port()) % 5
		}}
		if chosen(f, []Pick{p})[busiest] == 1 {
			t.Fatal("the busiest was chosen")
		}
	})
}

func TestMaglevSharesEvenly(t *testing.T) {
	for _, n := range []int{1, 2, 3, 10, 100} {
		entries := make([]int, n)
		for _, place := range balanced(cluster.Balance{Policy: cluster.Maglev}, n).lookup {
			entries[place]++
		}
		if least, most := slices.Min(entries), slices.Max(entries); most-least > 1+most/50 {
			t.Errorf("of %d backends one has %d entries, another %d", n, least, most)
		}
	}
}

// When a backend goes, its clients go to others; of the rest few do.
func TestMaglevDisruptsLittle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 40).Draw(t, "backends")
		before := balanced(cluster.Balance{Policy: cluster.Maglev}, n)
		after := &Frontend{Balance: before.Balance, Backends: slices.Clone(before.Backends)}
		gone := rapid.IntRange(0, n-1).Draw(t, "gone")
		after.Backends = slices.Delete(after.Backends, gone, gone+1)
		after.prepare(nil)
		moved := 0
		for i, place := range before.lookup {
			if int(place) != gone && before.Backends[place] != after.Backends[after.lookup[i]] {
				moved++
			}
		}
		if most := lookupSize / 20; moved > most {
			t.Fatalf("%d of %d entries moved although their backend stayed, at most %d should", moved, lookupSize, most)
		}
	})
}

func TestMaglevKeepsClients(t *testing.T) {
	f := balanced(cluster.Balance{Policy: cluster.Maglev}, 10)
	at := func(i int, p Pick) int {
		p.Source = client(i)
		return slices.Index(chosen(f, []Pick{p}), 1)
	}
	failing := Health{}.Fail(f.Backends[3], t0)
	for i := range 1000 {
		usual := at(i, Pick{Now: t0})
		if again := at(i, Pick{Now: t0, Turn: 7, Seed: 99}); again != usual {
			t.Fatalf("client %d went to %d and then to %d", i, usual, again)
		}
		mapped := Pick{Now: t0, Source: netip.AddrFrom16(client(i).As16())}
		if got := slices.Index(chosen(f, []Pick{mapped}), 1); got != usual {
			t.Fatalf("client %d goes to %d over a socket of both families, to %d over IPv4's", i, got, usual)
		}
		if while := at(i, Pick{Now: t0, Health: failing}); while == 3 || usual != 3 && while != usual {
			t.Fatalf("client %d of %d goes to %d while 3 does not answer", i, usual, while)
		}
	}
}

// The share of a new backend grows from a tenth of an even one to all of it,
// whatever the policy, and clients of maglev that came to it stay.
func TestSlowStart(t *testing.T) {
	const n, slow = 10_000, 30 * time.Second
	for _, policy := range []cluster.BalancePolicy{"", cluster.Random, cluster.LeastRequest, cluster.Weighted, cluster.Maglev} {
		t.Run(string(policy), func(t *testing.T) {
			f := balanced(cluster.Balance{Policy: policy, SlowStart: slow}, 4)
			old := Arrivals{}.Follow(&Table{Frontends: []Frontend{{Backends: f.Backends[:3]}}}, t0)
			arrivals := old.Follow(&Table{Frontends: []Frontend{*f}}, t0)
			last := 0
			for _, after := range []time.Duration{0, slow / 4, slow / 2, slow - 1, slow} {
				got := chosen(f, picks(n, func(i int, p *Pick) {
					p.Source, p.Arrivals, p.Now = client(i), arrivals, t0.Add(after)
				}))[3]
				if got < last {
					t.Errorf("after %v %d of %d, before that %d", after, got, n, last)
				}
				if after == 0 && (got == 0 || got > n/15) || after == slow && (got < n/4-n/50 || got > n/4+n/50) {
					t.Errorf("after %v it gets %d of %d", after, got, n)
				}
				last = got
			}
		})
	}
}

func TestArrivalsFollowTheTable(t *testing.T) {
	f := balanced(cluster.Balance{SlowStart: time.Minute}, 2)
	whole, one := &Table{Frontends: []Frontend{*f}}, &Table{Frontends: []Frontend{{Backends: f.Backends[:1]}}}
	a := Arrivals{}.Follow(one, t0)
	if a.share(f, 0, t0) != wholeShare {
		t.Error("a backend of the first table is new")
	}
	a = a.Follow(whole, t0).Follow(whole, t0.Add(30*time.Second))
	if got := a.share(f, 1, t0.Add(30*time.Second)); got != wholeShare/2 {
		t.Errorf("half-way it has %d of %d", got, wholeShare)
	}
	back := a.Follow(one, t0.Add(time.Minute)).Follow(whole, t0.Add(time.Minute))
	if got := back.share(f, 1, t0.Add(time.Minute)); got != firstShare {
		t.Errorf("back again it has %d of %d", got, wholeShare)
	}
}

// TestBuildGolden holds the table of an input to testdata/table.txtar.
func TestBuildGolden(t *testing.T) {
	const path = "testdata/table.txtar"
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var in Input
	if err := json.Unmarshal(archive.Files[0].Data, &in); err != nil {
		t.Fatal(err)
	}
	got, err := json.MarshalIndent(Build(in), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	if *update {
		archive.Files[1].Data = got
		if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(archive.Files[1].Data), string(got)); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}
