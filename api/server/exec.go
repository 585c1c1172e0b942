package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
	"github.com/musterhq/muster/security"
)

// execDialDeadline bounds opening the channel to the task's node.
const execDialDeadline = 15 * time.Second

// execTask runs a command in a task's container, on whichever node it is. What
// can be wrong is answered before the connection becomes a websocket; then
// frames travel as api.ExecStdin and its neighbours say, and ExecExit, or
// ExecError when the command could not be run to its end, is the last one.
func execTask(c *call) (any, error) {
	if _, err := parseExec(c.r); err != nil {
		return nil, err
	}
	t, err := c.taskNow(c.r.PathValue("task"))
	if err != nil {
		return nil, err
	}
	if err := canExec(t); err != nil {
		return nil, err
	}
	if cluster.NodeID(t.NodeID) == c.Self {
		return c.execHere(t.ContainerID)
	}
	return c.execThere(t)
}

// nodeExec is execTask's second half on the task's node.
func nodeExec(c *call) (any, error) { return c.execHere(c.r.URL.Query().Get("container")) }

// parseExec reads what to run, all but its streams, and insists on a websocket.
func parseExec(r *http.Request) (runtime.Exec, error) {
	q := r.URL.Query()
	e := runtime.Exec{Cmd: q["cmd"], Env: q["env"], User: q.Get("user"), WorkingDir: q.Get("workdir"), TTY: q.Get("tty") != ""}
	switch {
	case len(e.Cmd) == 0 || e.Cmd[0] == "":
		return e, cluster.Invalid("cmd", "is missing", "say what to run in the container")
	case !strings.EqualFold(r.Header.Get("Upgrade"), "websocket"):
		return e, api.Errorf(api.CodeInvalid, "run a command: the call needs a websocket")
	}
	for _, v := range e.Env {
		if name, _, ok := strings.Cut(v, "="); !ok || name == "" {
			return e, cluster.Invalid("env", strconv.Quote(v)+" has no value", "write it as NAME=value")
		}
	}
	return e, nil
}

// canExec refuses a task without a running container as it is known; the node
// itself looks again.
func canExec(t api.Task) error {
	switch cluster.State(t.State) {
	case cluster.StateRunning, cluster.StateUnhealthy, cluster.StateStarting:
		if t.ContainerID != "" {
			return nil
		}
	}
	return notRunning("task "+t.ID, t.State)
}

func notRunning(what, state string) error {
	return api.Errorf(api.CodeConflict, "run a command in %s: it is %s", what, state).WithHint("`muster ps` lists the tasks that run")
}

// taskNow finds a task by ID or ID prefix: in this node's state, else, where
// that is missing or may be old, through a voter.
func (c *call) taskNow(arg string) (api.Task, error) {
	v, voter := c.State.View()
	if voter {
		t, err := findTask(v, arg)
		if err == nil {
			seen := c.present().task(t)
			if canExec(seen) == nil || c.isLeader() {
				return seen, nil
			}
		} else if c.isLeader() {
			return api.Task{}, err
		}
	}
	t, err := c.askTask(arg)
	if voter && err != nil && asError(err).Code == api.CodeUnavailable {
		// Nobody knows better than this voter's own state.
		own, err := findTask(v, arg)
		if err != nil {
			return api.Task{}, err
		}
		return c.present().task(own), nil
	}
	return t, err
}

// askTask asks the leader for a task, or a voter when that does not answer.
func (c *call) askTask(arg string) (api.Task, error) {
	ctx, cancel := context.WithTimeout(c.ctx, askDeadline)
	defer cancel()
	l := c.Nodes.LeaderID()
	ids := []cluster.NodeID{}
	for _, m := range c.Nodes.Members() {
		switch {
		case m.ID == c.Self:
		case m.ID == l:
			ids = append([]cluster.NodeID{m.ID}, ids...)
		case m.Voter:
			ids = append(ids, m.ID)
		}
	}
	for _, id := range ids {
		var t api.TaskDetail
		err := c.Peers.Call(ctx, id, http.MethodGet, "/v1/tasks/"+url.PathEscape(arg), nil, &t)
		var e *api.Error
		if err == nil || errors.As(err, &e) && (e.Code == api.CodeNotFound || e.Code == api.CodeConflict) {
			return t.Task, err
		}
	}
	return api.Task{}, api.Errorf(api.CodeUnavailable, "look for task %q: no voter of the cluster answers", arg).
		WithHint("check the network to the voters; `muster status` shows them")
}

// execHere runs the command in a container of this host.
func (c *call) execHere(container string) (any, error) {
	e, err := parseExec(c.r)
	if err != nil {
		return nil, err
	}
	found, err := c.ownContainer(container)
	if err != nil {
		return nil, err
	}
	if found.Status != runtime.StatusRunning {
		return nil, notRunning("container "+found.Name, string(found.Status))
	}
	if conn, ok := c.upgrade(); ok {
		newExecSession(c.ctx, conn).run(c.Engine, found.ID, e, c.r.URL.Query())
	}
	return streamed, nil
}

// upgrade makes the connection a websocket, or answers why it cannot be one.
func (c *call) upgrade() (*websocket.Conn, bool) {
	conn, err := websocket.Accept(c.w, c.r, nil)
	if err != nil {
		return nil, false
	}
	conn.SetReadLimit(execFrameLimit)
	return conn, true
}

// execThere opens the same channel to the task's node and passes frames on.
func (c *call) execThere(t api.Task) (any, error) {
	there, err := c.dialExec(t)
	if err != nil {
		return nil, err
	}
	defer func() { _ = there.CloseNow() }()
	if user, ok := c.upgrade(); ok {
		pumpExec(c.ctx, user, there, t.Node)
	}
	return streamed, nil
}

// dialExec opens a websocket to the node of a task. Websockets do not ride
// HTTP/2 here, so it gets a connection of its own.
func (c *call) dialExec(t api.Task) (*websocket.Conn, error) {
	node := cluster.NodeID(t.NodeID)
	transport := &http.Transport{
		DialTLSContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return c.Peers.DialTLS(ctx, node, security.ALPNHTTP1)
		},
	}
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(c.ctx, execDialDeadline)
	defer cancel()
	q := c.r.URL.Query()
	q.Set("container", t.ContainerID)
	conn, resp, err := websocket.Dial(ctx, "https://"+string(node)+"/v1/node/exec?"+q.Encode(), //nolint:bodyclose // Dial has closed it
		&websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}})
	if err == nil {
		conn.SetReadLimit(execFrameLimit)
		return conn, nil
	}
	var b api.ErrorBody
	if resp != nil && resp.Body != nil && json.NewDecoder(io.LimitReader(resp.Body, maxBody)).Decode(&b) == nil && b.Error != nil {
		return nil, b.Error
	}
	return nil, api.Errorf(api.CodeUnavailable, "run a command in task %s: %v", t.ID, fmt.Errorf("reach its node %s: %w", t.Node, err)).
		WithHint("`muster node ls` shows whether the node is ready")
}
