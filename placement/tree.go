package placement

// tree holds a group's candidates in order: every domain of the spread has a
// heap of the domains within it, or, innermost, of its candidates. A change
// costs a walk from the candidate to the root, whatever the number of nodes.
//
// Its elements are the domains, by their numbers, and behind them the
// candidates, by theirs.
type tree struct {
	group *group
	heaps [][]int32 // by domain
	place []int32   // by element: where it is in the heap around it; -1: nowhere
}

func newTree(g *group) *tree {
	t := &tree{group: g, heaps: make([][]int32, len(g.counts)), place: make([]int32, len(g.counts)+len(g.candidates))}
	for i := range t.place {
		t.place[i] = -1
	}
	for i := range g.candidates {
		t.append(t.element(i))
	}
	for d := int32(len(t.heaps)) - 1; d >= 0; d-- { // inner ones first
		for i := len(t.heaps[d])/2 - 1; i >= 0; i-- {
			t.down(t.heaps[d], i)
		}
		if d > 0 && len(t.heaps[d]) > 0 {
			t.append(d)
		}
	}
	return t
}

func (t *tree) element(candidate int) int32 { return int32(len(t.heaps) + candidate) }

func (t *tree) around(e int32) int32 {
	if domains := len(t.heaps); int(e) >= domains {
		return t.group.candidates[int(e)-domains].leaf
	}
	return t.group.spread.domains[e].parent
}

// best is the first candidate, and false if none is left.
func (t *tree) best() (candidate int, ok bool) {
	if len(t.heaps[0]) == 0 {
		return 0, false
	}
	return t.first(0), true
}

// second is the one after the best, and false if there is none: the first of
// those that are next to the best one's way down.
func (t *tree) second() (candidate int, ok bool) {
	g := t.group
	for e := int32(0); int(e) < len(t.heaps) && len(t.heaps[e]) > 0; e = t.heaps[e][0] {
		for _, next := range t.heaps[e][1:min(3, len(t.heaps[e]))] { // the first one's children
			if c := t.first(next); !ok || g.compare(&g.candidates[c], &g.candidates[candidate]) < 0 {
				candidate, ok = c, true
			}
		}
	}
	return candidate, ok
}

// first is the first candidate within an element that has any.
func (t *tree) first(e int32) (candidate int) {
	for int(e) < len(t.heaps) {
		e = t.heaps[e][0]
	}
	return int(e) - len(t.heaps)
}

// remove takes a candidate out.
func (t *tree) remove(candidate int) {
	e := t.element(candidate)
	t.drop(e)
	t.fix(t.around(e))
}

// restore puts a candidate where it belongs, after a change or a removal.
func (t *tree) restore(candidate int) {
	e := t.element(candidate)
	if t.place[e] < 0 {
		t.append(e)
	}
	t.fix(e)
}

// fix puts an element, and all around it, where they belong after it changed.
func (t *tree) fix(e int32) {
	for ; e != 0; e = t.around(e) {
		empty := int(e) < len(t.heaps) && len(t.heaps[e]) == 0
		switch {
		case empty && t.place[e] >= 0:
			t.drop(e)
		case empty:
		case t.place[e] < 0:
			t.append(e)
			fallthrough
		default:
			h := t.heaps[t.around(e)]
			t.up(h, int(t.place[e]))
			t.down(h, int(t.place[e]))
		}
	}
}

func (t *tree) append(e int32) {
	d := t.around(e)
	t.place[e] = int32(len(t.heaps[d]))
	t.heaps[d] = append(t.heaps[d], e)
}

func (t *tree) drop(e int32) {
	d, i := t.around(e), int(t.place[e])
	h := t.heaps[d]
	last := len(h) - 1
	t.swap(h, i, last)
	t.place[e] = -1
	t.heaps[d] = h[:last]
	if i < last {
		t.up(h[:last], i)
		t.down(h[:last], i)
	}
}

func (t *tree) up(h []int32, i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !t.less(h[i], h[parent]) {
			return
		}
		t.swap(h, i, parent)
		i = parent
	}
}

func (t *tree) down(h []int32, i int) {
	for {
		child := 2*i + 1
		if child >= len(h) {
			return
		}
		if right := child + 1; right < len(h) && t.less(h[right], h[child]) {
			child = right
		}
		if !t.less(h[child], h[i]) {
			return
		}
		t.swap(h, i, child)
		i = child
	}
}

func (t *tree) swap(h []int32, i, j int) {
	h[i], h[j] = h[j], h[i]
	t.place[h[i]], t.place[h[j]] = int32(i), int32(j)
}

func (t *tree) less(a, b int32) bool {
	g := t.group
	return g.compare(&g.candidates[t.first(a)], &g.candidates[t.first(b)]) < 0
}
