package peer

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/api"
)

func TestCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		id, _ := n.serve("b:1", func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			if r.Method != http.MethodPost || r.URL.Path != "/x" || r.URL.Query().Get("q") != "1" || string(body) != `{"node":"N"}` {
				t.Errorf("%s %s with %q", r.Method, r.URL, body)
			}
			_, _ = io.WriteString(w, `{"leader":"L","epoch":1,"index":7,"a_later_field":true}`)
		})
		var reply api.HeartbeatReply
		if err := n.pool().Call(t.Context(), id, http.MethodPost, "/x?q=1", api.Heartbeat{Node: "N"}, &reply); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(api.HeartbeatReply{Leader: "L", Epoch: 1, Index: 7}, reply); diff != "" {
			t.Errorf("reply (-want +got):\n%s", diff)
		}
	})
}

// answer is a handler that answers always the same.
func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func TestAnswersThatAreErrors(t *testing.T) {
	for _, tc := range []struct {
		name   string
		status int
		body   string
		want   *api.Error // nil: not an error of the API
		says   string
	}{
		{
			"an error of the API", http.StatusConflict, `{"error":{"code":"conflict","field":"name","message":"is taken","hint":"choose another"}}`,
			&api.Error{Code: api.CodeConflict, Field: "name", Message: "is taken", Hint: "choose another"}, "is taken",
		},
		{"no JSON", http.StatusBadGateway, "<html>bad gateway</html>", nil, "502"},
		{"no error in it", http.StatusInternalServerError, `{"message":"x"}`, nil, "500"},
		{"nothing", http.StatusServiceUnavailable, "", nil, "503"},
		{"an error without end", http.StatusBadRequest, `{"error":{"code":"invalid","message":"` + strings.Repeat("x", maxError) + `"}}`, nil, "400"},
		{"a redirect", http.StatusFound, "", nil, "302"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork(t)
				id, _ := n.serve("b:1", answer(tc.status, tc.body))
				p := n.pool()
				err := p.Call(t.Context(), id, http.MethodGet, "/x", nil, nil)
				body, streamErr := p.Stream(t.Context(), id, http.MethodGet, "/x", nil)
				if body != nil {
					_ = body.Close()
				}
				for _, err := range []error{err, streamErr} {
					var got *api.Error
					errors.As(err, &got)
					if diff := cmp.Diff(tc.want, got); diff != "" || err == nil || !strings.Contains(err.Error(), tc.says) {
						t.Errorf("error %v (-want +got):\n%s", err, diff)
					}
					if got == nil && err != nil && (!strings.Contains(err.Error(), string(id)) || !strings.Contains(err.Error(), "/x")) {
						t.Errorf("%v does not say what was attempted", err)
					}
				}
			})
		})
	}
}

func TestAnswersThatCannotBeRead(t *testing.T) {
	for name, tc := range map[string]struct {
		handler http.HandlerFunc
		is      error
	}{
		"no JSON":      {answer(http.StatusOK, "hello"), nil},
		"nothing":      {answer(http.StatusOK, ""), io.EOF},
		"a wrong type": {answer(http.StatusOK, `{"epoch":"x"}`), nil},
		"without end":  {answer(http.StatusOK, `"`+strings.Repeat("x", 5000)+`"`), errTooLong},
		"broken off": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"leader":`)
			panic(http.ErrAbortHandler)
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork(t)
				id, _ := n.serve("b:1", tc.handler)
				p := n.pool()
				p.maxReply = 1000
				var out api.HeartbeatReply
				err := p.Call(t.Context(), id, http.MethodGet, "/x", nil, &out)
				if err == nil || tc.is != nil && !errors.Is(err, tc.is) || !strings.Contains(err.Error(), string(id)) {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

// An older node may answer nothing where a newer one has something to say.
func TestNothingToSay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		id, _ := n.serve("b:1", answer(http.StatusNoContent, ""))
		out := api.HeartbeatReply{Index: 7}
		if err := n.pool().Call(t.Context(), id, http.MethodGet, "/x", nil, &out); err != nil || out.Index != 7 {
			t.Errorf("got %+v, %v", out, err)
		}
	})
}

// A caller that wants no answer is not kept by one that has no end.
func TestUnwantedAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		id, _ := n.serve("b:1", answer(http.StatusOK, strings.Repeat("x", 100_000)))
		p := n.pool()
		p.maxReply = 1000
		for range 2 {
			if err := p.Call(t.Context(), id, http.MethodGet, "/x", nil, nil); err != nil {
				t.Fatal(err)
			}
		}
		if d := n.dialled("b:1"); d != 1 {
			t.Errorf("%d connections", d)
		}
	})
}

func TestStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		gone := make(chan struct{})
		id, _ := n.serve("b:1", func(w http.ResponseWriter, r *http.Request) {
			sent, _ := io.ReadAll(r.Body)
			_, _ = w.Write(sent)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
			close(gone)
		})
		body, err := n.pool().Stream(t.Context(), id, http.MethodPost, "/x", strings.NewReader("ping"))
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 4)
		if _, err := io.ReadFull(body, got); err != nil || string(got) != "ping" {
			t.Errorf("read %q, %v", got, err)
		}
		_ = body.Close()
		<-gone // who serves it hears that the reader went
	})
}
