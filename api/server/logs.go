package server

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
	"github.com/musterhq/muster/runtime"
)

// logs streams the output of tasks wherever they run: what exists in the order
// of time, then with follow what comes, of tasks that come later, too. What
// cannot be read is told by a line of its own and ends nothing else.
func logs(c *call) (any, error) {
	q, err := parseLogs(c.r.URL.Query())
	if err != nil {
		return nil, err
	}
	v, _ := c.State.View()
	if err := q.find(v); err != nil {
		return nil, err
	}
	newLogReader(c, q).run()
	return streamed, nil
}

// logQuery is whose output is wanted, and which part of it.
type logQuery struct {
	services []cluster.ServiceID
	stacks   []string
	task     cluster.TaskID
	logRange
}

// logRange is a part of one container's output.
type logRange struct {
	follow bool
	tail   int // last lines; negative: all
	since  time.Time
}

func parseLogs(q url.Values) (out logQuery, err error) {
	if out.logRange, err = parseLogRange(q); err != nil {
		return out, err
	}
	for _, s := range q["service"] {
		if !strings.Contains(s, "/") {
			return out, cluster.Invalid("service", "\""+s+"\" has no stack", "write it as stack/service")
		}
		out.services = append(out.services, cluster.ServiceID(s))
	}
	out.stacks, out.task = q["stack"], cluster.TaskID(q.Get("task"))
	if len(out.services) == 0 && len(out.stacks) == 0 && out.task == "" {
		return out, cluster.Invalid("service", "is missing", "name a service, a stack or a task")
	}
	return out, nil
}

func parseLogRange(q url.Values) (out logRange, err error) {
	out.follow = q.Get("follow") != ""
	if out.tail, err = intParam(q.Get("tail"), "tail", -1); err != nil {
		return out, err
	}
	out.since, err = timeParam(q.Get("since"), "since")
	return out, err
}

func (r logRange) values() url.Values {
	q := url.Values{}
	if r.follow {
		q.Set("follow", "1")
	}
	if r.tail >= 0 {
		q.Set("tail", strconv.Itoa(r.tail))
	}
	if !r.since.IsZero() {
		q.Set("since", r.since.UTC().Format(time.RFC3339Nano))
	}
	return q
}

// find checks that what is asked for exists and completes the task's ID.
func (q *logQuery) find(v state.View) error {
	if q.task != "" {
		t, err := findTask(v, string(q.task))
		if err != nil {
			return err
		}
		q.task = t.ID
	}
	for _, id := range q.services {
		if _, err := findService(v, id); err != nil {
			return err
		}
	}
	for _, stack := range q.stacks {
		if !hasStack(v, stack) {
			return api.Errorf(api.CodeNotFound, "there is no stack %q", stack).WithHint("`muster ls` lists what is deployed")
		}
	}
	return nil
}

func hasStack(v state.View, stack string) bool {
	for range v.StackServices(stack) {
		return true
	}
	return false
}

// tasks are the wanted tasks that have a container, ended ones included.
func (q *logQuery) tasks(v state.View) []*cluster.Task {
	if q.task != "" {
		if t, ok := v.Task(q.task); ok && t.Observed.ContainerID != "" {
			return []*cluster.Task{t}
		}
		return nil
	}
	ids := slices.Clone(q.services)
	for _, stack := range q.stacks {
		for s := range v.StackServices(stack) {
			ids = append(ids, s.ID)
		}
	}
	var out []*cluster.Task
	for _, id := range ids {
		for t := range v.TasksOf(id) {
			if t.Observed.ContainerID != "" {
				out = append(out, t)
			}
		}
	}
	return out
}

// over reports whether no new output can come of what is wanted.
func (q *logQuery) over(v state.View) bool {
	if q.task != "" {
		t, ok := v.Task(q.task)
		return !ok || t.Ended()
	}
	for _, id := range q.services {
		if _, ok := v.Service(id); ok {
			return false
		}
	}
	for _, stack := range q.stacks {
		if hasStack(v, stack) {
			return false
		}
	}
	return true
}

// nodeLogs streams the output of one container of this host.
func nodeLogs(c *call) (any, error) {
	q := c.r.URL.Query()
	r, err := parseLogRange(q)
	if err != nil {
		return nil, err
	}
	if _, err := c.ownContainer(q.Get("container")); err != nil {
		return nil, err
	}
	out := c.lines()
	live := false
	err = readLogs(c.ctx, c.Engine, q.Get("container"), r, func(l logItem) error {
		wire := api.LogLine{At: l.at, Stream: l.stream, Line: l.text}
		if l.caughtUp {
			live, wire.Stream = true, streamCaughtUp
		}
		if live {
			return out.send(wire)
		}
		return out.enc.Encode(wire)
	})
	if err != nil {
		_ = out.send(api.LogLine{Stream: streamError, Line: err.Error()}) // the caller is gone: nobody to tell
	}
	return streamed, nil
}

// ownContainer finds a container of this host that is a task of this cluster;
// others are nobody's business here.
func (c *call) ownContainer(id string) (runtime.Container, error) {
	none := api.Errorf(api.CodeNotFound, "this node has no container %q of this cluster", id)
	if id == "" {
		return runtime.Container{}, none
	}
	found, err := c.Engine.Inspect(c.ctx, id)
	switch {
	case isNotFound(err):
		return runtime.Container{}, none
	case err != nil:
		return runtime.Container{}, err
	case found.Labels[runtime.LabelTask] == "", found.Labels[runtime.LabelCluster] != c.s.agent.Local().ClusterID:
		return runtime.Container{}, none
	}
	return found, nil
}
