package server

import (
	"fmt"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// logSource is one container, over all its runs.
type logSource struct {
	task     cluster.TaskID
	service  cluster.ServiceID
	slot     int
	over     bool // the task has ended
	nodeName string
	logKey

	run    string // the run of the container that was read last
	part   logRange
	last   time.Time // of the newest line that was sent
	active bool
	failed bool // to be tried again
	stream *logStream
}

// logKey names a container in the cluster.
type logKey struct {
	node      cluster.NodeID
	container string
}

// logStream is one reading of a container.
type logStream struct {
	items chan logItem // closed at the end
	err   error        // set before items is closed
}

// open begins to read every wanted container that is not being read and has
// something new: it was never read, or runs again, or with retry failed before.
// ok is false when this node has no replicated state any more.
func (r *logReader) open(first, retry bool) (started []*logSource, ok bool) {
	v, ok := r.c.State.View()
	if !ok {
		return nil, false
	}
	for _, t := range r.q.tasks(v) {
		key, run := logKey{t.Node, t.Observed.ContainerID}, runOf(t)
		s := r.sources[key]
		if s == nil {
			s = &logSource{
				task: t.ID, service: t.Service, slot: t.Slot,
				logKey: key, nodeName: string(t.Node), part: r.q.logRange,
			}
			if !first {
				s.part.tail = -1
			}
			r.sources[key] = s
		} else if s.active || s.run == run && (!s.failed || !retry) {
			continue
		}
		s.run, s.over = run, t.Ended()
		if r.present(v, s) {
			r.start(s)
			started = append(started, s)
		}
	}
	return started, true
}

// runOf changes with every run of a task's container.
func runOf(t *cluster.Task) string {
	return fmt.Sprint(t.Observed.Restarts, t.Observed.Started.UnixNano(), t.Observed.Phase == cluster.PhaseRunning)
}

// present reports whether the source's node can be asked, and tells when not.
// What an ended task left on a lost node is nobody's news.
func (r *logReader) present(v state.View, s *logSource) bool {
	n, known := v.Node(s.node)
	if known {
		s.nodeName = n.Name
	}
	s.failed = known && n.Condition == cluster.Down
	if known && !s.failed {
		return true
	}
	if !s.over || r.q.task != "" {
		why := "it is not in the cluster any more"
		if known {
			why = "it is down"
		}
		r.tell(s, why)
	}
	return false
}

// start reads a source until its end. What was sent before is not sent again.
func (r *logReader) start(s *logSource) {
	part := s.part
	if !s.last.IsZero() {
		part.tail, part.since = -1, s.last.Add(1)
	}
	stream := &logStream{items: make(chan logItem, logBuffer)}
	s.stream, s.active = stream, true
	r.active++
	r.reading.Go(func() {
		defer close(stream.items)
		stream.err = r.c.readTask(r.ctx, s.node, s.container, part, func(i logItem) error {
			select {
			case stream.items <- i:
				return nil
			case <-r.ctx.Done():
				return r.ctx.Err()
			}
		})
	})
}

// finish notes a source's end and tells why, where that is news.
func (r *logReader) finish(s *logSource) {
	s.active = false
	r.active--
	err := s.stream.err
	s.failed = err != nil && !isNotFound(err)
	switch {
	case err == nil:
	case s.failed:
		r.tell(s, err.Error())
	case s.over && r.q.task == "", r.q.follow && !s.over:
		// Of ended tasks only the newest containers are kept; and of one that
		// is being replaced the next will be heard of.
	default:
		r.tell(s, "the container of task "+string(s.task)+" is gone")
	}
}
