package placement

import "github.com/musterhq/muster/cluster"

// directed is the candidate for a request that says where the task goes, or whence
// it comes; best is the one for any other.
func (g *group) directed(r *Request, best *candidate) *candidate {
	if r.Goes != "" && r.Goes != r.Leaves {
		if c := g.on(r.Goes); c != nil {
			return c
		}
	}
	if best == nil && r.Back {
		stays := *r
		stays.Leaves = ""
		g.job.Request = &stays
		defer func() { g.job.Request = r }()
		return g.on(r.Leaves)
	}
	return best
}

// on is the node's candidate, nil where it cannot take the task now.
func (g *group) on(id cluster.NodeID) *candidate {
	node, ok := g.plan.snap.index[id]
	if !ok {
		return nil
	}
	i, ok := g.candidate(node)
	if !ok || g.plan.refusal(node, g.job, true) != (refusal{}) {
		return nil
	}
	return &g.candidates[i]
}
