package client

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/api"
)

func TestExec(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if d := cmp.Diff([]string{"echo", "a b"}, r.URL.Query()["cmd"]); d != "" {
				t.Errorf("command (-want +got):\n%s", d)
			}
			conn, err := websocket.Accept(w, r, nil)
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = conn.CloseNow() }()
			for _, want := range []string{"\x03[24,80]", "\x00input", "\x04"} {
				if _, got, err := conn.Read(r.Context()); err != nil || string(got) != want {
					t.Errorf("got %q, %v; want %q", got, err, want)
				}
			}
			for _, frame := range []string{"\x01output", "\x057"} {
				if err := conn.Write(r.Context(), websocket.MessageBinary, []byte(frame)); err != nil {
					t.Error(err)
				}
			}
		})
		ctx := t.Context()
		e, err := c.Exec(ctx, "01J", ExecOptions{Command: []string{"echo", "a b"}, TTY: true, Stdin: true})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = e.Close() }()
		for _, step := range []func(context.Context) error{
			func(ctx context.Context) error { return e.Resize(ctx, 24, 80) },
			func(ctx context.Context) error { return e.Stdin(ctx, []byte("input")) },
			e.CloseStdin,
		} {
			if err := step(ctx); err != nil {
				t.Fatal(err)
			}
		}
		for _, want := range []struct {
			kind byte
			data string
		}{{api.ExecStdout, "output"}, {api.ExecExit, "7"}} {
			kind, data, err := e.Read(ctx)
			if err != nil || kind != want.kind || string(data) != want.data {
				t.Errorf("got %d %q, %v; want %+v", kind, data, err, want)
			}
		}
	})
}

func TestExecIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			fail(w, api.Errorf(api.CodeConflict, "the task does not run"))
		})
		_, err := c.Exec(t.Context(), "01J", ExecOptions{Command: []string{"sh"}})
		if Code(err) != api.CodeConflict || !strings.Contains(err.Error(), "does not run") {
			t.Errorf("got %v", err)
		}
	})
}
