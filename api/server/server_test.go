package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/security"
)

func TestRequestsThatCannotBeRead(t *testing.T) {
	r := newRing(t, nil, "n1", "n2")
	large := `{"set":{"a":"` + strings.Repeat("x", maxBody) + `"}}`
	for _, tc := range []struct {
		name, body string
		want       api.Code
		says       string
	}{
		{"a field that is not known", `{"sets":{}}`, api.CodeInvalid, `"sets"`},
		{"a wrong type", `{"set":1}`, api.CodeInvalid, "set"},
		{"no JSON", `set`, api.CodeInvalid, "read the request"},
		{"nothing", ``, api.CodeInvalid, "read the request"},
		{"too much", large, api.CodeTooLarge, "8 MiB"},
	} {
		for _, asked := range []string{"n1", "n2"} {
			t.Run(tc.name+" through "+asked, func(t *testing.T) {
				w := r.host(asked).raw(http.MethodPost, "/v1/nodes/n1/labels", tc.body)
				e := errorOf(t, w.Body.Bytes())
				if e.Code != tc.want || w.Code != e.Status() || !strings.Contains(e.Message, tc.says) {
					t.Errorf("HTTP %d: %+v, want %s that says %q", w.Code, e, tc.want, tc.says)
				}
			})
		}
	}
}

// errorOf reads a body that must be one error and nothing else.
func errorOf(t *testing.T, body []byte) api.Error {
	t.Helper()
	var e api.ErrorBody
	dec := json.NewDecoder(bytes.NewReader(body))
	if err := dec.Decode(&e); err != nil || e.Error == nil || dec.More() {
		t.Fatalf("not one error: %q", body)
	}
	return *e.Error
}

// serveOne serves one made-up route over a real connection. What was logged is
// there when the server is closed.
func serveOne(t *testing.T, rt route) (url string, logged func() string) {
	t.Helper()
	var log bytes.Buffer
	s := New(api.Version{}, nil, slog.New(slog.NewTextHandler(&log, nil)))
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.serve(rt, &call{ctx: r.Context(), s: s, w: w, r: r, caller: security.Caller{Local: true}})
	}))
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	srv.Start()
	t.Cleanup(srv.Close)
	return srv.URL, func() string {
		srv.Close()
		return log.String()
	}
}

func TestPanicIsACleanError(t *testing.T) {
	url, logged := serveOne(t, route{pattern: "GET /x", access: security.LocalAdmin, where: idle, handle: func(*call) (any, error) { panic("a bug") }})
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, _ := io.ReadAll(resp.Body)
	if e := errorOf(t, body); resp.StatusCode != http.StatusInternalServerError || e.Code != api.CodeInternal || !strings.Contains(e.Message, "GET /x") {
		t.Errorf("HTTP %s: %s", resp.Status, body)
	}
	if log := logged(); !strings.Contains(log, "a bug") || !strings.Contains(log, "server_test.go") {
		t.Errorf("the log does not say where: %s", log)
	}
}

// A stream whose handler fails must not look as if it had come to its end.
func TestPanicBreaksAStream(t *testing.T) {
	url, logged := serveOne(t, route{pattern: "GET /x", access: security.LocalAdmin, where: idle, stream: true, handle: func(c *call) (any, error) {
		_ = c.lines().send("first")
		panic("a bug")
	}})
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if string(body) != "\"first\"\n" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("read %q, %v", body, err)
	}
	if log := logged(); !strings.Contains(log, "a bug") {
		t.Errorf("the log: %s", log)
	}
}

func TestIdleAgent(t *testing.T) {
	s := New(api.Version{Version: "v1"}, lifecycleOf{}, slog.New(slog.DiscardHandler))
	h := &host{ring: &ring{t: t}, server: s}
	for path, want := range map[string]api.Code{
		"/v1/version": "", "/v1/local": "", "/healthz": "",
		"/v1/status": api.CodeNotMember, "/v1/tasks": api.CodeNotMember, "/v1/node/feed": api.CodeForbidden,
	} {
		err := h.try(http.MethodGet, path, nil, nil)
		wantCode(t, path, err, want)
		if err != nil && err.Code == api.CodeNotMember && !strings.Contains(err.Hint, "muster init") {
			t.Errorf("%s: no hint in %v", path, err)
		}
	}
}

// Calls that act on the host itself are for its own socket.
func TestLifecycleIsLocal(t *testing.T) {
	r := newRing(t, nil, "n1", "w2")
	for _, path := range []string{"/v1/init", "/v1/join", "/v1/leave"} {
		wantCode(t, path, r.host("w2").call(r.host("n1"), http.MethodPost, path, struct{}{}, nil), api.CodeForbidden)
	}
}
