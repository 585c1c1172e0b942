package placement

import (
	"cmp"
	"slices"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// Standby are the images that nodes are likely to need when a host dies: for
// each service, at most k nodes that would be given a task of it and run none.
// Nodes that are quarantined are given nothing. The images are in order.
func Standby(v state.View, quarantined map[cluster.NodeID]bool, k int) map[cluster.NodeID][]string {
	snap := FromView(v, quarantined)
	out := map[cluster.NodeID][]string{}
	for s := range v.Services() {
		image := s.Spec.Template.Container.Image
		digest := cmp.Or(image.Digest, image.Ref)
		if digest == "" || s.Spec.Mode != cluster.Replicated || s.Removing || s.SetAside != "" {
			continue // the tasks of a global service go nowhere else
		}
		for _, n := range snap.standby(v, s, k) {
			if !slices.Contains(out[n], digest) {
				out[n] = append(out[n], digest)
			}
		}
	}
	for _, digests := range out {
		slices.Sort(digests)
	}
	return out
}

// standby lets the service's hosts die one by one, and asks where a task of each
// would go. Among equal nodes chance decides then, so that those found already
// are left out.
func (s *Snapshot) standby(v state.View, service *cluster.Service, k int) []cluster.NodeID {
	hosts := map[cluster.NodeID]bool{}
	var tasks []*cluster.Task // one a host
	for t := range v.TasksOf(service.ID) {
		if _, ok := s.counts(t); ok && t.Generation == service.Generation && !hosts[t.Node] {
			hosts[t.Node] = true
			tasks = append(tasks, t)
		}
	}
	var out []cluster.NodeID
	for try := 0; try < 2*k && len(tasks) > 0 && len(out) < k; try++ {
		t := tasks[try%len(tasks)]
		plan := Place(s.without(append(out, t.Node)), []Request{RequestOf(t, service, service.Spec.Template)}, 0)
		for _, c := range plan.Assign {
			if !hosts[c.Node] {
				out = append(out, c.Node)
			}
		}
	}
	return out
}
