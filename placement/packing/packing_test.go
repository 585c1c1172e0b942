package packing

import (
	"iter"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const mib = 1 << 20

func demand(milliCPU, mebibytes, milliGPU int64) Vector {
	return Vector{CPU: milliCPU, Memory: mebibytes * mib, GPU: milliGPU}
}

func TestRoom(t *testing.T) {
	r := &Room{Free: demand(8000, 4096, 1700), GPUs: []int64{1000, 400, 300}}
	for _, c := range []struct {
		name    string
		d       Vector
		slots   int
		useless int64 // of the GPUs
	}{
		{"cpu decides", demand(3000, 1024, 0), 2, 0},
		{"memory decides", demand(1000, 3000, 0), 1, 0},
		{"too large", demand(9000, 1, 0), 0, 1700},
		{"a share of one GPU", demand(100, 10, 350), 3, 300},
		{"a whole GPU", demand(100, 10, 1000), 1, 700},
		{"two whole ones", demand(100, 10, 2000), 0, 1700},
	} {
		if got := r.Slots(&c.d); got != c.slots {
			t.Errorf("%s: %d slots, want %d", c.name, got, c.slots)
		}
		if got := r.UselessGPUs(&c.d); c.d[GPU] > 0 && got != c.useless {
			t.Errorf("%s: %v useless, want %v", c.name, got, c.useless)
		}
	}
	share := demand(100, 10, 350)
	if r.Give(&share); r.GPUs[1] != 50 {
		t.Errorf("the share was not taken where the least is enough: %v", r.GPUs)
	}
}

// TestSlotsAreGiven puts as many tasks into a room as it says it has slots for.
func TestSlotsAreGiven(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, d := drawRoom(t), drawDemand(t)
		for left := r.Slots(&d); left > 0 && left < 1000; left-- {
			r.Give(&d)
		}
		for k, left := range r.Free {
			if left < 0 {
				t.Fatalf("%d of kind %d is left", left, k)
			}
		}
		if r.Slots(&d) != 0 {
			t.Fatalf("more tasks like %v fit than it has slots for: %+v", d, r)
		}
	})
}

// TestRestIsThatOfEveryClass compares the look at sorted classes with a plain sum.
func TestRestIsThatOfEveryClass(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, r := drawPrices(t, nil), drawRoom(t)
		if p.scarce == GPU {
			return
		}
		unfit := 0.0
		for _, c := range p.classes {
			if !c.need.within(&r.Free) {
				unfit += c.tasks
			}
		}
		if got := p.Rest(&r); math.Abs(got.falling-unfit) > 1e-9 || math.Abs(got.waste-unfit*float64(r.Free[p.scarce])) > 1e-3 {
			t.Fatalf("%+v, want a share of %v of tasks that do not fit", got, unfit)
		}
	})
}

// per is one by what a node has.
var per = [Kinds]float64{CPU: 1.0 / 64_000, Memory: 1.0 / (64 << 30)}

// TestFloorIsBelowPrice holds what the search leaves out nodes by.
func TestFloorIsBelowPrice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawDemand(t)
		p, r := drawPrices(t, &d), drawRoom(t)
		if r.Slots(&d) == 0 {
			return
		}
		rest, q := p.Rest(&r), p.For(&d, rapid.Float64Range(0, 1).Draw(t, "lasting"))
		after := Room{Free: r.Free, GPUs: append([]int64(nil), r.GPUs...)}
		after.Give(&d)
		price, floor := q.Price(&r, &after, &rest, &per), q.Floor(&r.Free, &rest, &per)
		if sum := price.Sum(); sum < floor || math.IsNaN(sum) || math.IsInf(sum, 0) {
			t.Fatalf("price %+v, floor %v", price, floor)
		}
		if wasted := p.Rest(&after).waste - rest.waste; math.Abs(price.Wasted-q.by*(stranded(p, &r, &after)+wasted)) > 1e-6 {
			t.Fatalf("%+v, the waste changes by %v", price, wasted)
		}
	})
}

// stranded is how much more of the scarce kind is left once tasks in the mix's
// proportions have used up another.
func stranded(p *Prices, before, after *Room) float64 {
	left := func(r *Room) float64 {
		tasks := math.Inf(1)
		for _, k := range p.asked {
			tasks = min(tasks, float64(r.Free[k])/p.mean[k])
		}
		return float64(r.Free[p.scarce]) - tasks*p.mean[p.scarce]
	}
	return left(after) - left(before)
}

// Half of the tasks need a whole node. Of two half empty ones the small task takes
// the one where no large one fits any more.
func TestWhatIsOfNoUseToOthersIsTaken(t *testing.T) {
	var m Mix
	small, large := demand(1000, 1024, 0), demand(6000, 6144, 0)
	m.Add(&small)
	m.Add(&large)
	p := m.Prices(&Fleet{
		Total: demand(16_000, 16_384, 0), Free: demand(11_000, 11_264, 0), Largest: demand(8000, 8192, 0),
		Rooms: rooms(Room{Free: demand(64_000, 65_536, 0)}),
	})
	q := p.For(&small, 1)
	price := func(free Vector) float64 {
		before, after := Room{Free: free}, Room{Free: free}
		after.Give(&small)
		rest := p.Rest(&before)
		out := q.Price(&before, &after, &rest, &per)
		return out.Sum()
	}
	if spoilt, kept := price(demand(6000, 6144, 0)), price(demand(5000, 5120, 0)); spoilt <= kept {
		t.Errorf("a node that a large task fits costs %v, one that none fits %v", spoilt, kept)
	}
}

// A class with as many slots as tasks that are expected keeps them.
func TestScarceSlotsAreKept(t *testing.T) {
	var m Mix
	small, large := demand(1000, 1024, 0), demand(1000, 8192, 0)
	m.Add(&small)
	m.Add(&large)
	for slots, kept := range map[int]float64{2: 1, 1000: 0} {
		all := slices.Repeat([]Room{{Free: demand(7000, 7168, 0)}}, 10) // for the small ones
		all = append(all, slices.Repeat([]Room{{Free: demand(1000, 8192, 0)}}, slots)...)
		p := m.Prices(&Fleet{
			Total: demand(32_000, 16_384, 0), Free: demand(8000, 16_384, 0), Largest: demand(16_000, 8192, 0), Rooms: rooms(all...),
		})
		before, after := Room{Free: demand(4000, 8192, 0)}, Room{Free: demand(4000, 8192, 0)}
		after.Give(&small)
		rest, q := p.Rest(&before), p.For(&small, 1)
		if got := q.Price(&before, &after, &rest, &per); got.Kept != kept {
			t.Errorf("%d slots: %v for the slot that is taken, want %v", slots, got.Kept, kept)
		}
	}
}

func TestMixIsBounded(t *testing.T) {
	var m Mix
	often := demand(1, 1, 0)
	m.Add(&often)
	for i := range int64(3 * mostClasses) {
		d := demand(i+2, 1, 0)
		m.Add(&d)
		m.Add(&often)
	}
	if len(m.classes) != mostClasses || len(m.index) != mostClasses {
		t.Errorf("%d classes, %d in the index, want %d", len(m.classes), len(m.index), mostClasses)
	}
	if i, known := m.index[often]; !known || m.classes[i].tasks != 3*mostClasses+1 {
		t.Errorf("the most frequent class was forgotten")
	}
	c := m.Clone()
	c.Add(&often)
	if m.classes[m.index[often]].tasks != 3*mostClasses+1 {
		t.Errorf("a clone shares its classes")
	}
}

func TestTasksThatAskForNothingAreNotCounted(t *testing.T) {
	var m Mix
	m.Add(&Vector{})
	if d := cmp.Diff(Mix{}, m, cmp.AllowUnexported(Mix{})); d != "" {
		t.Error(d)
	}
}

// drawPrices draws prices for a mix, with a task if it is not nil.
func drawPrices(t *rapid.T, with *Vector) *Prices {
	var m Mix
	for range rapid.IntRange(1, 20).Draw(t, "others") {
		d := drawDemand(t)
		m.Add(&d)
	}
	if with != nil {
		m.Add(with)
	}
	total := demand(640_000, 655_360, 40_000)
	return m.Prices(&Fleet{Total: total, Free: total, Largest: demand(64_000, 65_536, 4000), Rooms: rooms(drawRoom(t), drawRoom(t))})
}

func rooms(all ...Room) iter.Seq[*Room] {
	return func(yield func(*Room) bool) {
		for i := range all {
			if !yield(&all[i]) {
				return
			}
		}
	}
}

func drawDemand(t *rapid.T) Vector {
	return demand(
		rapid.Int64Range(100, 20_000).Draw(t, "cpu"), rapid.Int64Range(64, 30_000).Draw(t, "memory"),
		rapid.SampledFrom([]int64{0, 0, 250, 400, 1000, 2000}).Draw(t, "gpu"),
	)
}

func drawRoom(t *rapid.T) Room {
	r := Room{Free: demand(rapid.Int64Range(0, 64_000).Draw(t, "free cpu"), rapid.Int64Range(0, 65_536).Draw(t, "free memory"), 0)}
	for range rapid.IntRange(0, 4).Draw(t, "node's GPUs") {
		has := rapid.SampledFrom([]int64{0, 250, 600, 1000}).Draw(t, "has")
		r.GPUs = append(r.GPUs, has)
		r.Free[GPU] += has
	}
	return r
}
