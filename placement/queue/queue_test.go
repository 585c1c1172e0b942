package queue

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/musterhq/muster/cluster"
)

var start = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

func order(items []Item) string {
	var out []byte
	for _, it := range items {
		out = append(out, it.Task...)
	}
	return string(out)
}

func wantOrder(t *testing.T, items []Item, o cluster.QueueOrder, s Shares, want string) {
	t.Helper()
	Sort(items, o, s)
	if got := order(items); got != want {
		t.Errorf("%s: the order is %s, want %s", o, got, want)
	}
}

func TestPriority(t *testing.T) {
	items := []Item{
		{Task: "a", Priority: 50, Since: start.Add(time.Second)},
		{Task: "b", Priority: 50, Since: start},
		{Task: "c", Priority: 90, Since: start.Add(time.Hour)},
		{Task: "d", Priority: 0, Since: start.Add(-time.Hour)},
		{Task: "e", Priority: 50, Since: start},
	}
	wantOrder(t, items, cluster.QueuePriority, Shares{}, "cbead")
}

func TestShortestJob(t *testing.T) {
	items := []Item{
		{Task: "a", Since: start, Expected: time.Hour},
		{Task: "b", Since: start.Add(time.Second), Expected: time.Minute},
		{Task: "c", Since: start.Add(14 * time.Minute), Expected: time.Second},
		{Task: "d", Since: start.Add(16 * time.Minute), Expected: 0}, // an hour's job has waited a quarter of one
		{Task: "e", Since: start.Add(17 * time.Minute), Expected: time.Second, Priority: 1},
		{Task: "f", Since: start.Add(-3 * time.Hour), Expected: Endless * 100},
	}
	wantOrder(t, items, cluster.QueueShortestJob, Shares{}, "ebcadf")
}

// Whatever comes: an item is never behind one of its priority that came more
// than Expected/Aging after it.
func TestAShortJobOvertakesForABoundedTimeOnly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		items := drawItems(t)
		Sort(items, cluster.QueueShortestJob, Shares{})
		for i, late := range items {
			for _, early := range items[i+1:] {
				bound := min(max(early.Expected, 0), Endless) / Aging
				if early.Priority == late.Priority && late.Since.Sub(early.Since) > bound {
					t.Fatalf("%s goes before %s, which came %s earlier and is expected to run %s",
						late.Task, early.Task, late.Since.Sub(early.Since), early.Expected)
				}
			}
		}
	})
}

func TestTheOrderOfTheItemsDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		items, o := drawItems(t), drawOrder(t)
		s := Shares{Capacity: cluster.Resources{MilliCPU: 1000, Memory: 1000}}
		mixed := rapid.Permutation(items).Draw(t, "mixed")
		before := slices.Clone(items)
		Sort(items, o, s)
		Sort(mixed, o, s)
		if !slices.Equal(items, mixed) {
			t.Fatalf("%s: %s and %s", o, order(items), order(mixed))
		}
		for _, it := range before {
			if !slices.Contains(items, it) {
				t.Fatalf("%s is lost", it.Task)
			}
		}
		for i := 1; i < len(items); i++ {
			if items[i].Priority > items[i-1].Priority {
				t.Fatalf("%s goes before %s", items[i-1].Task, items[i].Task)
			}
		}
	})
}

// The example of the paper's section 4.1: 9 CPUs and 18 GB; a task of A takes
// 1 CPU and 4 GB, one of B 3 CPUs and 1 GB. A is given three, B two.
func TestFairAsInThePaper(t *testing.T) {
	var items []Item
	for i := range 5 {
		items = append(items,
			Item{Task: "a", Stack: "a", Since: start.Add(time.Duration(i)), Resources: cluster.Resources{MilliCPU: 1000, Memory: 4}},
			Item{Task: "b", Stack: "b", Since: start.Add(time.Duration(i)), Resources: cluster.Resources{MilliCPU: 3000, Memory: 1}})
	}
	Sort(items, cluster.QueueFair, Shares{Capacity: cluster.Resources{MilliCPU: 9000, Memory: 18}})
	if got := order(items[:5]); got != "abaab" && got != "ababa" {
		t.Errorf("the first five are %s, want three of a and two of b", got)
	}
}

func TestFairHeedsWhatIsHeldAndTheWeights(t *testing.T) {
	item := func(stack string, i int) Item {
		return Item{Task: cluster.TaskID(stack), Stack: stack, Since: start.Add(time.Duration(i)), Resources: cluster.Resources{MilliCPU: 100}}
	}
	var items []Item
	for i := range 4 {
		items = append(items, item("a", i), item("b", i))
	}
	wantOrder(t, slices.Clone(items), cluster.QueueFair, Shares{
		Capacity: cluster.Resources{MilliCPU: 1000}, Held: map[string]cluster.Resources{"a": {MilliCPU: 250}},
	}, "bbbabaaa")
	wantOrder(t, slices.Clone(items), cluster.QueueFair, Shares{
		Capacity: cluster.Resources{MilliCPU: 1000}, Weights: map[string]float64{"a": 3},
	}, "abaaabbb")
}

// As long as every stack has items left, none gets ahead of another by more than
// one item's share over its weight.
func TestFairSharesConverge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		capacity := cluster.Resources{MilliCPU: 100_000, Memory: 100_000}
		weights, left := map[string]float64{}, map[string]int{}
		largest := 0.0
		var items []Item
		for s := range rapid.IntRange(2, 5).Draw(t, "stacks") {
			stack := fmt.Sprintf("s%d", s)
			weights[stack] = rapid.Float64Range(0.5, 4).Draw(t, "weight")
			r := cluster.Resources{MilliCPU: rapid.Int64Range(1, 1000).Draw(t, "cpu"), Memory: rapid.Int64Range(1, 1000).Draw(t, "memory")}
			largest = max(largest, Dominant(r, capacity)/weights[stack])
			left[stack] = rapid.IntRange(1, 30).Draw(t, "tasks")
			for i := range left[stack] {
				items = append(items, Item{Task: cluster.TaskID(fmt.Sprintf("%s-%d", stack, i)), Stack: stack, Resources: r})
			}
		}
		Sort(items, cluster.QueueFair, Shares{Capacity: capacity, Weights: weights})
		held := map[string]cluster.Resources{}
		for _, it := range items {
			held[it.Stack] = held[it.Stack].Add(it.Resources)
			if left[it.Stack]--; left[it.Stack] == 0 {
				return
			}
			low, high := 2.0, 0.0
			for s, w := range weights {
				share := Dominant(held[s], capacity) / w
				low, high = min(low, share), max(high, share)
			}
			if high-low > largest+1e-9 {
				t.Fatalf("shares are from %f to %f apart; the largest item is %f", low, high, largest)
			}
		}
	})
}

func drawOrder(t *rapid.T) cluster.QueueOrder {
	return rapid.SampledFrom([]cluster.QueueOrder{cluster.QueuePriority, cluster.QueueShortestJob, cluster.QueueFair}).Draw(t, "order")
}

func drawItems(t *rapid.T) []Item {
	n := rapid.IntRange(0, 30).Draw(t, "items")
	out := make([]Item, n)
	for i := range out {
		out[i] = Item{
			Task:     cluster.TaskID(fmt.Sprintf("t%02d", i)),
			Priority: rapid.SampledFrom([]int{0, 50, 100}).Draw(t, "priority"),
			Since:    start.Add(time.Duration(rapid.Int64Range(0, int64(48*time.Hour)).Draw(t, "since"))),
			Expected: time.Duration(rapid.Int64Range(-1, int64(2*Endless)).Draw(t, "expected")),
			Stack:    rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "stack"),
			Resources: cluster.Resources{
				MilliCPU: rapid.Int64Range(0, 500).Draw(t, "cpu"), Memory: rapid.Int64Range(0, 500).Draw(t, "memory"),
			},
		}
	}
	return out
}
