package controller

import (
	"context"
	"encoding/binary"
	"hash/fnv"
	"math"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// weighEvery is how often the leader weighs the nodes for the policy weighted.
const weighEvery = 5 * time.Second

// Weights are those of the nodes; nil where the one that asks has them already,
// or no service needs any.
func (c *Controller) Weights(known uint64) *api.Weights {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.weights.ID == 0 || c.weights.ID == known {
		return nil
	}
	w := c.weights
	return &w
}

// weigh is the chore that works the weights out.
func (l *loop) weigh(context.Context) time.Duration {
	v := l.cfg.Store.View()
	if !anyWeighted(v) {
		return weighEvery
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.weights = weigh(l.weights.Nodes, loads(l.book, v, time.Now()))
	return weighEvery
}

func anyWeighted(v state.View) bool {
	for s := range v.Services() {
		if s.Spec.Balance.Policy == cluster.Weighted {
			return true
		}
	}
	return false
}

// load is how much of its CPU a node uses, from 0 to 1.
type load struct {
	node cluster.NodeID
	busy float64
}

// loads are those of the nodes that were measured lately, by node.
func loads(book history, v state.View, now time.Time) []load {
	var out []load
	for n := range v.Nodes() {
		if used, _, ok := book.Used(n.ID, now); ok && n.Capacity.MilliCPU > 0 {
			out = append(out, load{n.ID, min(float64(used.MilliCPU)/float64(n.Capacity.MilliCPU), 1)})
		}
	}
	return out
}

// staysWithin is how far from a weight what was measured may be, in weights,
// before the node gets another: more than the half that rounding allows, so that
// a load between two does not go to and fro.
const staysWithin = 0.75

// weigh gives idle nodes the highest weight and busy ones the lowest. It is
// coarse, and keeps the weights of before where it can: every change makes a new
// table on every node.
func weigh(before []cluster.NodeWeight, now []load) api.Weights {
	had := map[cluster.NodeID]int{}
	for _, w := range before {
		had[w.Node] = w.Weight
	}
	out := api.Weights{Nodes: make([]cluster.NodeWeight, 0, len(now))}
	id := fnv.New64a()
	for _, l := range now {
		exact := cluster.MinNodeWeight + (1-l.busy)*(cluster.MaxNodeWeight-cluster.MinNodeWeight)
		w, known := had[l.node]
		if !known || math.Abs(exact-float64(w)) > staysWithin {
			w = int(math.Round(exact))
		}
		out.Nodes = append(out.Nodes, cluster.NodeWeight{Node: l.node, Weight: w})
		_, _ = id.Write(binary.AppendVarint([]byte(l.node), int64(w))) // a hash never fails
	}
	out.ID = id.Sum64()
	return out
}
