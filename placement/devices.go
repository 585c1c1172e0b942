package placement

import (
	"slices"

	"github.com/musterhq/muster/cluster"
)

// unused is how much of its devices a node without tasks has in use.
var unused = make([]int64, cluster.MaxDevices)

// usedDevices is how much of each of the node's devices is in use, with what this
// plan gave away. It is only read.
func (p *plan) usedDevices(n int) []int64 {
	if used, ok := p.devices[n]; ok {
		return used
	}
	if used, ok := p.snap.devices[n]; ok {
		return used
	}
	return unused[:min(len(p.snap.nodes[n].Devices), len(unused))]
}

// hold adds shares to what is in use of the node's devices, or with a sign of -1
// takes them away.
func (p *plan) hold(n int, shares []cluster.DeviceShare, sign int64) {
	if len(shares) == 0 {
		return
	}
	used, ours := p.devices[n]
	if !ours {
		used = slices.Clone(p.usedDevices(n))
		p.devices[n] = used
	}
	for _, s := range shares {
		s.Milli *= sign
		cluster.UsedDevices(p.snap.nodes[n].Devices, used, []cluster.DeviceShare{s})
	}
}

// lack is a number of devices that a node is short of for one of a job's
// requests.
type lack struct{ request, short int }

// devices wants whole devices that nobody uses, and for a share room on one.
func devices(p *plan, n int, j *job) refusal {
	if len(j.Devices) == 0 {
		return refusal{}
	}
	request, short := cluster.ShortDevices(p.snap.nodes[n].Devices, p.usedDevices(n), j.Devices)
	if short == 0 {
		return refusal{}
	}
	at := lack{request, short}
	if j.lackText[at] == "" {
		j.lackText[at] = j.Devices[request].Short(short)
	}
	return refusal{text: j.lackText[at]}
}

func sameDevices(a, b cluster.DeviceRequest) bool {
	return a.Kind == b.Kind && a.Milli == b.Milli && a.Driver == b.Driver && slices.Equal(a.IDs, b.IDs)
}
