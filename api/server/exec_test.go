package server

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/api/client"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
	"github.com/musterhq/muster/runtime/fake"
	"github.com/musterhq/muster/security"
)

// commands are containers in which the command's first word says what runs.
func commands(run map[string]func(context.Context, fake.Exec) int) func(runtime.Create) fake.Behaviour {
	return func(runtime.Create) fake.Behaviour {
		return fake.Behaviour{Exec: func(ctx context.Context, e fake.Exec) int { return run[e.Cmd[0]](ctx, e) }}
	}
}

// result reads a session to its last frame.
func result(t *testing.T, s *client.Exec) (stdout, stderr, last string) {
	t.Helper()
	for {
		kind, data, err := s.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		switch kind {
		case api.ExecStdout:
			stdout += string(data)
		case api.ExecStderr:
			stderr += string(data)
		case api.ExecExit:
			return stdout, stderr, "exit " + string(data)
		case api.ExecError:
			return stdout, stderr, "error " + string(data)
		}
	}
}

func open(t *testing.T, h *host, task cluster.TaskID, o client.ExecOptions) *client.Exec {
	t.Helper()
	s, err := h.client.Exec(t.Context(), string(task), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestExecFromAnyNode(t *testing.T) {
	behave := commands(map[string]func(context.Context, fake.Exec) int{
		"upper": func(_ context.Context, e fake.Exec) int {
			in, err := io.ReadAll(e.Stdin)
			fmt.Fprint(e.Stdout, strings.ToUpper(string(in)), e.Env, e.User, e.WorkingDir, e.TTY)
			fmt.Fprint(e.Stderr, err)
			return 7
		},
	})
	r := newRing(t, behave, "a", "b", "w", "w2")
	r.deployWeb()
	onA, _ := r.runTask(1, "a")
	onW, _ := r.runTask(2, "w")
	for _, from := range []string{"a", "b", "w", "w2"} {
		for _, task := range []cluster.TaskID{onA, onW} {
			s := open(t, r.host(from), task, client.ExecOptions{
				Command: []string{"upper", "x"}, Stdin: true, Env: []string{"A=1"}, User: "me", WorkDir: "/tmp",
			})
			for _, in := range []string{"one ", "two "} {
				if err := s.Stdin(t.Context(), []byte(in)); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.CloseStdin(t.Context()); err != nil {
				t.Fatal(err)
			}
			stdout, stderr, last := result(t, s)
			if d := cmp.Diff([]string{"ONE TWO [A=1]me/tmpfalse", "<nil>", "exit 7"}, []string{stdout, stderr, last}); d != "" {
				t.Errorf("from %s: %s", from, d)
			}
		}
	}
}

func TestExecPassesTheTerminalsSize(t *testing.T) {
	behave := commands(map[string]func(context.Context, fake.Exec) int{
		"size": func(ctx context.Context, e fake.Exec) int {
			for range 2 {
				select {
				case s := <-e.Resize:
					fmt.Fprintf(e.Stdout, "%dx%d ", s.Rows, s.Cols)
				case <-ctx.Done():
				}
			}
			return 0
		},
	})
	r := newRing(t, behave, "a", "w")
	r.deployWeb()
	task, _ := r.runTask(1, "w")
	s := open(t, r.host("a"), task, client.ExecOptions{Command: []string{"size"}, TTY: true})
	for i, rows := range []int{0, 24, 50} { // 0 is no size
		if err := s.Resize(t.Context(), rows, 80); err != nil {
			t.Fatal(err)
		}
		if i == 1 { // taken before the next is sent: only the newest is kept
			if _, data, err := s.Read(t.Context()); err != nil || string(data) != "24x80 " {
				t.Fatalf("got %q, %v", data, err)
			}
		}
	}
	if stdout, _, last := result(t, s); stdout != "50x80 " || last != "exit 0" {
		t.Errorf("got %q, %s", stdout, last)
	}
}

// A reader that does not read stops the command's output, and one that leaves
// ends the command: nothing piles up on the way.
func TestExecWaitsForTheReader(t *testing.T) {
	const total = 1 << 30
	written := make(chan int, 1)
	behave := commands(map[string]func(context.Context, fake.Exec) int{
		"flood": func(_ context.Context, e fake.Exec) int {
			n, chunk := 0, bytes.Repeat([]byte("x"), 1<<20)
			for n < total {
				k, err := e.Stdout.Write(chunk)
				if n += k; err != nil {
					break
				}
			}
			written <- n
			return 0
		},
	})
	r := newRing(t, behave, "a", "w")
	r.deployWeb()
	task, _ := r.runTask(1, "w")
	s := open(t, r.host("a"), task, client.ExecOptions{Command: []string{"flood"}})
	if _, _, err := s.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
	if n := <-written; n >= total/4 {
		t.Errorf("%d bytes went on their way to a reader that read one frame", n)
	}
}

func TestExecEndsWithTheReader(t *testing.T) {
	ended := make(chan error, 1)
	behave := commands(map[string]func(context.Context, fake.Exec) int{
		"wait": func(ctx context.Context, e fake.Exec) int {
			fmt.Fprint(e.Stdout, "waiting")
			<-ctx.Done()
			_, err := io.ReadAll(e.Stdin)
			ended <- err
			return 0
		},
	})
	r := newRing(t, behave, "a", "w")
	r.deployWeb()
	task, _ := r.runTask(1, "w")
	s := open(t, r.host("a"), task, client.ExecOptions{Command: []string{"wait"}, Stdin: true})
	if _, _, err := s.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
	if err := <-ended; err == nil {
		t.Error("the command's input ended as if the user had closed it")
	}
}

func TestExecTellsThatTheNodeIsLost(t *testing.T) {
	behave := commands(map[string]func(context.Context, fake.Exec) int{
		"wait": func(ctx context.Context, e fake.Exec) int {
			fmt.Fprint(e.Stdout, "waiting")
			<-ctx.Done()
			return 0
		},
	})
	r := newRing(t, behave, "a", "w")
	r.deployWeb()
	task, _ := r.runTask(1, "w")
	s := open(t, r.host("a"), task, client.ExecOptions{Command: []string{"wait"}})
	if _, _, err := s.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.host("a").links.cut()
	if _, _, last := result(t, s); !strings.Contains(last, "the connection to node w broke") {
		t.Errorf("got %s", last)
	}
}

func TestExecRefusesBeforeTheUpgrade(t *testing.T) {
	r := newRing(t, nil, "a", "w")
	r.deployWeb()
	a, w := r.host("a"), r.host("w")
	exited, c := r.runTask(1, "w")
	w.engine.Kill(c, 1)
	r.observe(w, exited, cluster.Observed{Phase: cluster.PhaseBackoff, ContainerID: c})
	// Its node knows better than the state that this one has stopped.
	stale, c := r.runTask(2, "w")
	w.engine.Kill(c, 1)
	for _, tt := range []struct {
		task cluster.TaskID
		code api.Code
		want string
	}{
		{exited, api.CodeConflict, "it is backoff"},
		{stale, api.CodeConflict, "it is exited"},
		{"01ZZ", api.CodeNotFound, "there is no task"},
	} {
		for _, h := range []*host{a, w} {
			_, err := h.client.Exec(t.Context(), string(tt.task), client.ExecOptions{Command: []string{"sh"}})
			if client.Code(err) != tt.code || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("from %s: got %v, want %q", h.name, err, tt.want)
			}
		}
	}
	if _, err := a.client.Exec(t.Context(), string(stale), client.ExecOptions{}); client.Code(err) != api.CodeInvalid {
		t.Errorf("without a command: %v", err)
	}
}

// A node runs commands in the cluster's own tasks and in no other container.
func TestNodeExecRefusesOtherContainers(t *testing.T) {
	r := newRing(t, nil, "a", "w")
	w := r.host("w")
	w.engine.AddImage("x")
	id, err := w.engine.Create(t.Context(), runtime.Create{Name: "mine", Spec: cluster.ContainerSpec{Image: cluster.Image{Ref: "x"}}})
	if err == nil {
		err = w.engine.Start(t.Context(), id)
	}
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DialTLSContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return r.host("a").pool.DialTLS(ctx, w.id, security.ALPNHTTP1)
	}}
	defer transport.CloseIdleConnections()
	_, resp, err := websocket.Dial(t.Context(), "https://w/v1/node/exec?cmd=sh&container="+id, //nolint:bodyclose // Dial has closed it
		&websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}})
	if err == nil || resp == nil || resp.StatusCode != http.StatusNotFound {
		t.Errorf("got %v, %v", resp, err)
	}
	if w.engine.Calls(fake.OpExec) != 0 {
		t.Error("the command ran")
	}
}
