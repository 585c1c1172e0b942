package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/coder/websocket"

	"github.com/musterhq/muster/api"
)

// frameLimit bounds one message of the other side, in bytes.
const frameLimit = 1 << 20

// ExecOptions say what runs in a task's container.
type ExecOptions struct {
	Command []string
	TTY     bool
	Stdin   bool
	User    string
	WorkDir string
	Env     []string // NAME=value
}

// Exec is a command running in a container. One goroutine may read while
// others write.
type Exec struct{ conn *websocket.Conn }

// Exec starts a command in the container of a task; the caller closes it.
func (c *Client) Exec(ctx context.Context, task string, o ExecOptions) (*Exec, error) {
	query := filter("user", o.User, "workdir", o.WorkDir)
	query["cmd"] = o.Command
	query["env"] = o.Env
	for name, set := range map[string]bool{"tty": o.TTY, "stdin": o.Stdin} {
		if set {
			query.Set(name, "1")
		}
	}
	target := url.URL{Scheme: "http", Host: "muster"}
	conn, resp, err := websocket.Dial(ctx, target.String()+path("exec", task)+"?"+query.Encode(), &websocket.DialOptions{HTTPClient: c.http}) //nolint:bodyclose // answered reads and closes it; of an upgrade there is none
	if err != nil {
		if resp != nil && resp.StatusCode != http.StatusSwitchingProtocols && resp.StatusCode >= http.StatusBadRequest {
			return nil, answered(resp)
		}
		return nil, fmt.Errorf("open a channel to the task: %w", strip(err))
	}
	conn.SetReadLimit(frameLimit)
	return &Exec{conn: conn}, nil
}

// Read returns the next frame from the container: one of api.ExecStdout,
// ExecStderr, ExecExit and ExecError.
func (e *Exec) Read(ctx context.Context) (kind byte, data []byte, err error) {
	_, message, err := e.conn.Read(ctx)
	switch {
	case err != nil:
		return 0, nil, fmt.Errorf("the connection to the command broke: %w", err)
	case len(message) == 0:
		return 0, nil, errors.New("the agent sent an empty frame")
	}
	return message[0], message[1:], nil
}

// Stdin sends input to the command.
func (e *Exec) Stdin(ctx context.Context, data []byte) error {
	return e.send(ctx, api.ExecStdin, data)
}

// CloseStdin ends the command's input.
func (e *Exec) CloseStdin(ctx context.Context) error { return e.send(ctx, api.ExecEOF, nil) }

// Resize tells the command's terminal its size in characters.
func (e *Exec) Resize(ctx context.Context, rows, columns int) error {
	data, err := json.Marshal([2]int{rows, columns})
	if err != nil {
		return err
	}
	return e.send(ctx, api.ExecResize, data)
}

func (e *Exec) send(ctx context.Context, kind byte, data []byte) error {
	return e.conn.Write(ctx, websocket.MessageBinary, append([]byte{kind}, data...))
}

// Close ends the connection; a command that still runs loses its terminal.
func (e *Exec) Close() error { return e.conn.CloseNow() }
