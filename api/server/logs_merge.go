package server

import (
	"container/heap"
	"time"
)

// merge sends what exists in the order of time. A source that has nothing to
// say for logPatience no longer holds up the others: its lines come later. It
// returns false when the stream is over.
func (r *logReader) merge(sources []*logSource) bool {
	var h logHeap
	limit := time.Now().Add(logPatience)
	for n, s := range sources {
		h.add(r, s, n, limit)
	}
	heap.Init(&h)
	for len(h) > 0 {
		first := h[0]
		if !r.send(first.source, first.item) {
			return false
		}
		item, ok := r.pull(first.source, time.Now().Add(logPatience))
		if ok {
			h[0].item = item
			heap.Fix(&h, 0)
		} else {
			heap.Pop(&h)
		}
	}
	r.out.flush()
	return r.ctx.Err() == nil
}

// pull takes a source's next line of what exists; false when there is none, or
// not before limit.
func (r *logReader) pull(s *logSource, limit time.Time) (logItem, bool) {
	select {
	case i, ok := <-s.stream.items:
		return i, ok && !i.caughtUp
	default:
	}
	r.out.flush()
	t := time.NewTimer(time.Until(limit))
	defer t.Stop()
	select {
	case i, ok := <-s.stream.items:
		return i, ok && !i.caughtUp
	case <-t.C:
	case <-r.ctx.Done():
	}
	return logItem{}, false
}

// logHead is the oldest unsent line of a source.
type logHead struct {
	source *logSource
	item   logItem
	order  int // of the sources, for lines of the same time
}

// logHeap is a container/heap with the oldest line first.
type logHeap []logHead

func (h *logHeap) add(r *logReader, s *logSource, order int, limit time.Time) {
	if i, ok := r.pull(s, limit); ok {
		*h = append(*h, logHead{s, i, order})
	}
}

func (h logHeap) Len() int      { return len(h) }
func (h logHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

func (h logHeap) Less(i, j int) bool {
	if !h[i].item.at.Equal(h[j].item.at) {
		return h[i].item.at.Before(h[j].item.at)
	}
	return h[i].order < h[j].order
}

// Push implements heap.Interface.
func (h *logHeap) Push(x any) { *h = append(*h, x.(logHead)) }

// Pop implements heap.Interface.
func (h *logHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}
