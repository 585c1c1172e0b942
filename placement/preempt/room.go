package preempt

import (
	"cmp"
	"slices"

	"github.com/musterhq/muster/cluster"
)

// room is what a node has left for a need.
type room struct {
	free cluster.Resources
	used []int64 // of each device, in thousandths; nil where none is asked
}

func roomOf(need *Need) room {
	if len(need.Devices) == 0 {
		return room{free: need.Free}
	}
	return room{need.Free, need.Used}
}

// without is the room once the victims have left.
func (r room) without(need *Need, set ...Victim) room {
	if r.used != nil && len(set) > 0 {
		r.used = slices.Clone(r.used)
	}
	for i := range set {
		r.free = r.free.Add(set[i].Resources)
		if r.used == nil {
			continue
		}
		for _, s := range set[i].Devices {
			s.Milli = -s.Milli
			cluster.UsedDevices(need.Have, r.used, []cluster.DeviceShare{s})
		}
	}
	return r
}

// holds reports whether the need finds its place. More room never makes it false.
func (r room) holds(need *Need) bool {
	if !need.Resources.Fits(r.free) {
		return false
	}
	if len(need.Devices) == 0 {
		return true
	}
	_, short := cluster.ShortDevices(need.Have, r.used, need.Devices)
	return short == 0
}

// shortage is what a room lacks for a need.
type shortage struct {
	amounts cluster.Resources
	// devices is how much of each of the node's devices has to be given back, on
	// those that need the least for it, and sum how much of all.
	devices []int64
	sum     int64
}

// short is what is missing; empty is the room at its largest.
func (r room) short(need *Need, empty room) shortage {
	out := shortage{amounts: need.Resources.Sub(r.free)}
	if r.used == nil {
		return out
	}
	out.devices = make([]int64, len(need.Have))
	for i := range need.Devices {
		ask := &need.Devices[i]
		// A share needs one device of which so much is left, a whole one needs all.
		count, most := 1, cluster.WholeDevice-ask.Milli
		if ask.Milli >= cluster.WholeDevice {
			count, most = int(ask.Milli/cluster.WholeDevice), 0
		}
		var able []int
		for d := range need.Have {
			if ask.Matches(&need.Have[d]) && empty.used[d] <= most {
				able = append(able, d)
			}
		}
		slices.SortStableFunc(able, func(a, b int) int { return cmp.Compare(r.used[a], r.used[b]) })
		for _, d := range able[:min(count, len(able))] {
			out.devices[d] = max(r.used[d]-most, 0)
			out.sum += out.devices[d]
		}
	}
	return out
}

// relief is the sum of the shares of what is short that the victim gives.
func (s *shortage) relief(need *Need, v *Victim) float64 {
	part := func(short, gives int64) float64 {
		if short <= 0 {
			return 0
		}
		return float64(min(gives, short)) / float64(short)
	}
	a, r := &s.amounts, &v.Resources
	out := part(a.MilliCPU, r.MilliCPU) + part(a.Memory, r.Memory) + part(a.Disk, r.Disk) + part(a.Bandwidth, r.Bandwidth) + part(a.MilliGPU, r.MilliGPU)
	if s.sum == 0 {
		return out
	}
	gives := int64(0)
	for _, share := range v.Devices {
		for d := range need.Have {
			if need.Have[d].Kind == share.Kind && need.Have[d].ID == share.ID {
				gives += min(share.Milli, s.devices[d])
			}
		}
	}
	return out + part(s.sum, gives)
}
