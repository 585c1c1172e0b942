package server

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
)

const (
	// logBuffer is how many lines of one container are held for the merge.
	logBuffer = 8
	// logPatience is how long the others wait for a container's next old line.
	logPatience = 3 * time.Second
	// logRetry is how often a container that could not be read is tried again.
	logRetry = 5 * time.Second
)

// logReader merges the output of several containers into one stream.
//
//	container --> items --+--> merge: what exists, by time --+--> out
//	  (one each, blocks)  +--> live:  what comes, as it does-+
//
// Only run's goroutine touches the fields; the others send to channels.
type logReader struct {
	c       *call
	q       logQuery
	ctx     context.Context
	out     *lines
	sources map[logKey]*logSource
	active  int // sources that are being read
	live    chan logEvent
	told    map[cluster.NodeID]string // the last trouble that was told of a node
	reading sync.WaitGroup
}

// logEvent is an item of a source, or its end.
type logEvent struct {
	source *logSource
	item   logItem
	ended  bool
}

func newLogReader(c *call, q logQuery) *logReader {
	return &logReader{
		c: c, q: q, sources: map[logKey]*logSource{},
		live: make(chan logEvent, logBuffer), told: map[cluster.NodeID]string{},
	}
}

// run sends everything and returns when there is no more, or nobody listens.
func (r *logReader) run() {
	defer r.reading.Wait()
	ctx, cancel := context.WithCancel(r.c.ctx)
	defer cancel()
	r.ctx = ctx
	wake, stop := r.c.State.Watch()
	defer stop()
	r.out = r.c.lines()
	first, ok := r.open(true, false)
	if !ok || !r.merge(first) {
		return
	}
	for _, s := range first {
		r.forward(s)
	}
	r.follow(wake)
}

// follow passes on what comes.
func (r *logReader) follow(wake <-chan struct{}) {
	var retry <-chan time.Time
	if r.q.follow {
		t := time.NewTicker(logRetry)
		defer t.Stop()
		retry = t.C
	} else {
		wake = nil
	}
	for going := true; going && !r.over(); {
		if len(r.live) == 0 {
			r.out.flush()
		}
		select {
		case e := <-r.live:
			going = r.take(e)
		case <-wake:
			going = r.reopen(false)
		case <-retry:
			going = r.reopen(true)
		case <-r.ctx.Done():
			going = false
		}
	}
	r.out.flush()
}

func (r *logReader) over() bool {
	if r.active > 0 {
		return false
	}
	v, ok := r.c.State.View()
	return !r.q.follow || !ok || r.q.over(v)
}

// take handles an event; false ends the stream.
func (r *logReader) take(e logEvent) bool {
	if !e.ended {
		return r.send(e.source, e.item)
	}
	r.finish(e.source)
	return !r.q.follow || r.reopen(false)
}

// reopen begins to read what became readable; false ends the stream.
func (r *logReader) reopen(retry bool) bool {
	started, ok := r.open(false, retry)
	for _, s := range started {
		r.forward(s)
	}
	return ok
}

// forward passes a source's items on to the one channel that follow reads.
func (r *logReader) forward(s *logSource) {
	stream := s.stream
	r.reading.Go(func() {
		for i := range stream.items {
			if !i.caughtUp && !r.pass(logEvent{source: s, item: i}) {
				return
			}
		}
		r.pass(logEvent{source: s, ended: true})
	})
}

func (r *logReader) pass(e logEvent) bool {
	select {
	case r.live <- e:
		return true
	case <-r.ctx.Done():
		return false
	}
}

// send writes a line without flushing it; false when nobody reads.
func (r *logReader) send(s *logSource, i logItem) bool {
	if i.at.After(s.last) {
		s.last = i.at
	}
	delete(r.told, s.node)
	return r.out.enc.Encode(s.line(i.at, i.stream, i.text)) == nil
}

func (s *logSource) line(at time.Time, stream, text string) api.LogLine {
	return api.LogLine{
		At: at, Service: string(s.service), Slot: s.slot, Task: string(s.task), Node: s.nodeName, Stream: stream, Line: text,
	}
}

// tell sends a line about what cannot be read, once as long as it stays so.
func (r *logReader) tell(s *logSource, why string) {
	text := fmt.Sprintf("cannot read the output on node %s: %s", s.nodeName, why)
	if r.told[s.node] == text {
		return
	}
	r.told[s.node] = text
	_ = r.out.enc.Encode(s.line(time.Now(), streamError, text)) // the next line finds out that nobody reads
}
