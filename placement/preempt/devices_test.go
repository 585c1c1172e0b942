package preempt

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/musterhq/muster/cluster"
)

func gpus(n int) []cluster.HostDevice {
	var out []cluster.HostDevice
	for i := range n {
		out = append(out, cluster.HostDevice{Kind: cluster.DeviceGPU, ID: string(rune('a' + i))})
	}
	return out
}

// holder is a victim that has shares of GPUs: "a" whole, or "a:300" of one.
func holder(id string, priority int, shares ...cluster.DeviceShare) Victim {
	v := Victim{Task: cluster.TaskID(id), Priority: priority, Devices: shares}
	for _, s := range shares {
		v.Resources.MilliGPU += s.Milli
	}
	return v
}

func share(id string, milli int64) cluster.DeviceShare {
	return cluster.DeviceShare{Kind: cluster.DeviceGPU, ID: id, Milli: milli}
}

// asks is the need of a task of the default priority, on a node where the tasks
// hold what they do.
func asks(have []cluster.HostDevice, milli int64, tasks []Victim) Need {
	n := Need{
		Priority: cluster.DefaultPriority, Have: have, Used: make([]int64, len(have)),
		Devices: []cluster.DeviceRequest{{Kind: cluster.DeviceGPU, Milli: milli}},
	}
	n.Resources.MilliGPU = milli
	n.Free.MilliGPU = int64(len(have)) * cluster.WholeDevice
	for _, v := range tasks {
		n.Free.MilliGPU -= v.Resources.MilliGPU
		n.Used = cluster.UsedDevices(have, n.Used, v.Devices)
	}
	return n
}

func TestDevicesAreGivenUp(t *testing.T) {
	for name, tt := range map[string]struct {
		gpus  int
		milli int64
		tasks []Victim
		want  []string // nil: none will do
	}{
		"the lowest that has a whole one": {
			2, 1000, []Victim{holder("a", 30, share("a", 1000)), holder("b", 10, share("b", 1000))}, []string{"b"},
		},
		"who has both": {
			2, 2000, []Victim{holder("a", 30, share("a", 1000), share("b", 1000))}, []string{"a"},
		},
		"all that share one": {
			1, 1000, []Victim{holder("a", 30, share("a", 300)), holder("b", 10, share("a", 300))}, []string{"a", "b"},
		},
		"of two the one that fewer share": {
			2, 1000,
			[]Victim{holder("a", 0, share("a", 300)), holder("b", 0, share("a", 300)), holder("c", 40, share("b", 100))},
			[]string{"c"},
		},
		// Half a GPU is free in sum, and on neither.
		"room in pieces": {
			2, 500, []Victim{holder("a", 20, share("a", 750)), holder("b", 10, share("b", 750))}, []string{"b"},
		},
		"one that stays has a part": {
			1, 1000, []Victim{holder("a", 10, share("a", 500)), holder("b", 60, share("a", 500))}, nil,
		},
		"nobody need go": {
			2, 1000, []Victim{holder("a", 10, share("a", 1000))}, []string{},
		},
		"more than there are": {
			1, 2000, []Victim{holder("a", 10, share("a", 1000))}, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			set, ok := Choose(asks(gpus(tt.gpus), tt.milli, tt.tasks), tt.tasks)
			var got []string
			for _, v := range set {
				got = append(got, string(v.Task))
			}
			if !slices.Equal(got, tt.want) || ok != (tt.want != nil) {
				t.Errorf("chose %v, %t; want %v", got, ok, tt.want)
			}
		})
	}
}

// drawDevices draws a node's GPUs, who has them and what is asked.
func drawDevices(t *rapid.T, most int) (Need, []Victim) {
	have := gpus(rapid.IntRange(1, 5).Draw(t, "gpus"))
	used := make([]int64, len(have))
	var tasks []Victim
	for i := range rapid.IntRange(0, most).Draw(t, "tasks") {
		milli := rapid.SampledFrom([]int64{100, 250, 500, 600, 1000, 2000}).Draw(t, "milli")
		given, _, short := cluster.PickDevices(have, used, []cluster.DeviceRequest{{Kind: cluster.DeviceGPU, Milli: milli}})
		if short > 0 {
			continue
		}
		used = cluster.UsedDevices(have, used, given)
		v := holder(fmt.Sprintf("t%02d", i), rapid.SampledFrom([]int{0, 10, 30, 41, 60}).Draw(t, "priority"), given...)
		v.Resources.MilliCPU = rapid.Int64Range(0, 4).Draw(t, "cpu")
		tasks = append(tasks, v)
	}
	need := asks(have, rapid.SampledFrom([]int64{100, 500, 700, 1000, 2000, 3000}).Draw(t, "asked"), tasks)
	need.Resources.MilliCPU, need.Free.MilliCPU = rapid.Int64Range(0, 6).Draw(t, "need cpu"), rapid.Int64Range(0, 4).Draw(t, "free cpu")
	return need, tasks
}

// fitsWithout reports whether the need has its place once the set has left.
func fitsWithout(need Need, set []Victim) bool {
	free, used := need.Free, slices.Clone(need.Used)
	for _, v := range set {
		free = free.Add(v.Resources)
		for _, s := range v.Devices {
			used[s.ID[0]-'a'] -= s.Milli
		}
	}
	whole, shared := int64(0), false
	for _, u := range used {
		if u == 0 {
			whole += cluster.WholeDevice
		}
		shared = shared || u+need.Devices[0].Milli <= cluster.WholeDevice
	}
	return need.Resources.Fits(free) && (shared || whole >= need.Devices[0].Milli)
}

// No set of those that may give way is cheaper, whatever of devices they hold.
func TestDevicesAreGivenUpByTheCheapestSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		need, tasks := drawDevices(t, 10)
		set, ok := Choose(need, tasks)
		var best *Cost
		for mask := range 1 << len(tasks) {
			var s []Victim
			may := true
			for i, v := range tasks {
				if mask&(1<<i) != 0 {
					s, may = append(s, v), may && v.Priority+Gap <= need.Priority
				}
			}
			if c := CostOf(s); may && fitsWithout(need, s) && (best == nil || c.Compare(*best) < 0) {
				best = &c
			}
		}
		if ok != (best != nil) || ok && CostOf(set) != *best {
			t.Fatalf("chose %v (%t) at %+v, the best costs %+v", set, ok, CostOf(set), best)
		}
		if ok && !fitsWithout(need, set) {
			t.Fatalf("%v make no room for %+v", set, need)
		}
	})
}

// Also where there are too many to try all sets, nobody gives up a device in vain.
func TestNobodyGivesUpADeviceInVain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		need, tasks := drawDevices(t, 60)
		var may []Victim
		for _, v := range tasks {
			if v.Priority+Gap <= need.Priority {
				may = append(may, v)
			}
		}
		set, ok := Choose(need, tasks)
		if ok != fitsWithout(need, may) {
			t.Fatalf("found %t for %+v among %v", ok, need, may)
		}
		if !ok {
			return
		}
		if !fitsWithout(need, set) {
			t.Fatalf("%v make no room for %+v", set, need)
		}
		for i, v := range set {
			if v.Priority+Gap > need.Priority {
				t.Fatalf("%s of priority %d goes", v.Task, v.Priority)
			}
			if fitsWithout(need, slices.Delete(slices.Clone(set), i, i+1)) {
				t.Fatalf("%s of %v goes in vain", v.Task, set)
			}
		}
	})
}
