package placement

import (
	"strconv"
	"unicode/utf8"
)

// Part is what two nodes differ in. The parts are in the order in which nodes
// are compared.
type Part uint8

// Parts of a score.
const (
	PartChance Part = iota // nothing: the seed decides
	PartFailed
	PartCrowded
	PartSpread
	PartService
	PartNear
	PartCost
	PartTasks
)

func (p Part) String() string {
	return [...]string{"chance", "failures", "crowded", "spread", "service", "near", "cost", "tasks"}[p]
}

// Loss is by what a node comes after another.
type Loss struct {
	Part  Part
	Level uint8 // PartSpread: which of the labels
	// By is how many tasks or failures more it has, or how much more it costs, in
	// millionths; affinities are taken off the cost.
	By int64
}

// lost says by what the second of two candidates comes after the first. One that
// was put first although it is not has lost by chance.
func (g *group) lost(first, second *candidate) Loss {
	if g.compare(first, second) > 0 {
		return Loss{}
	}
	a, b, level := g.differ(first.leaf, second.leaf)
	switch {
	case first.failed != second.failed:
		return Loss{Part: PartFailed, By: int64(second.failed - first.failed)}
	case first.crowded != second.crowded:
		return Loss{Part: PartCrowded, By: 1}
	case a != b:
		return Loss{Part: PartSpread, Level: level - 1, By: int64(g.counts[b] - g.counts[a])}
	case first.service != second.service:
		return Loss{Part: PartService, By: int64(second.service - first.service)}
	case first.near != second.near:
		return Loss{Part: PartNear, By: int64(second.near - first.near)}
	case first.cost != second.cost:
		return Loss{Part: PartCost, By: second.cost - first.cost}
	case first.tasks != second.tasks:
		return Loss{Part: PartTasks, By: int64(second.tasks - first.tasks)}
	}
	return Loss{}
}

// differ finds the outermost domains around two of the same level that hold
// different numbers of tasks, and their level from 1; they are equal where all
// hold the same.
func (g *group) differ(a, b int32) (x, y int32, level uint8) {
	if a == b {
		for ; a > 0; a = g.spread.domains[a].parent {
			level++
		}
		return b, b, level
	}
	x, y, level = g.differ(g.spread.domains[a].parent, g.spread.domains[b].parent)
	if x != y {
		return x, y, level
	}
	if g.counts[a] != g.counts[b] {
		return a, b, level + 1
	}
	return a, a, level + 1
}

// append writes the loss behind b, as what the node has more than the first;
// spread is a score's.
func (l Loss) append(b []byte, spread []Domain) []byte {
	if l.Part == PartChance {
		return append(b, "nothing: chance decided"...)
	}
	if l.Part == PartCrowded {
		return append(b, "its CPU, which is crowded"...)
	}
	if l.Part == PartNear {
		return append(b, "its distance from what the service is to be near"...)
	}
	if l.Part == PartCost {
		return append(appendPercent(b, l.By), " of cost"...)
	}
	b = append(strconv.AppendInt(b, l.By, 10), " more "...)
	switch l.Part {
	case PartFailed:
		b = append(b, "failures lately"...)
	case PartSpread:
		b = append(append(b, "of the service in its "...), spread[l.Level].Label...)
	case PartService:
		b = append(b, "of the service on it"...)
	default:
		b = append(b, "tasks"...)
	}
	return b
}

// Text says what the node has more than the first, in people's words; spread is
// that of either's score.
func (l Loss) Text(spread []Domain) string { return string(l.append(nil, spread)) }

// maxText bounds what is kept of a choice, in bytes.
const maxText = 200

// Text says in at most 200 bytes why the node was chosen and who came second:
// "hybrid: 1 on the node, wasted -5.00%, ..., 3 tasks; second n2, by 1 more
// tasks".
func (c *Choice) Text() string {
	var buf [2 * maxText]byte
	b := append(buf[:0], policyOf(c.Why.Policy).name...)
	b = c.Why.append(append(b, ": "...))
	if c.Second == nil {
		b = append(b, "; no other node could take it"...)
	} else {
		b = append(append(b, "; second "...), c.Second.Name...)
		b = c.Lost.append(append(b, ", by "...), c.Why.Spread)
	}
	if len(b) > maxText {
		end := maxText - len("...")
		for !utf8.RuneStart(b[end]) {
			end--
		}
		b = append(b[:end], "..."...)
	}
	return string(b)
}
