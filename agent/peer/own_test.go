package peer

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
)

// What this node asks itself needs no connection, and is answered by the same
// rules as over one.
func TestCallsToThisNodeItself(t *testing.T) {
	n := newNetwork(t)
	p := n.pool()
	self := p.identity().NodeID
	p.Own = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch r.URL.Path {
		case "/refused":
			w.WriteHeader(http.StatusConflict)
			_, _ = io.WriteString(w, `{"error":{"code":"conflict","message":"no"}}`)
		case "/aborted":
			panic(http.ErrAbortHandler)
		case "/nothing":
			w.WriteHeader(http.StatusNoContent)
		default:
			_, _ = io.WriteString(w, `"`+r.Method+strings.Trim(string(body), `"`)+`"`)
		}
	})
	call := func(path string, in, out any) error {
		return p.Call(t.Context(), cluster.NodeID(self), http.MethodPost, path, in, out)
	}
	var got string
	if err := call("/echo", " hello", &got); err != nil || got != "POST hello" {
		t.Errorf("got %q, %v", got, err)
	}
	got = "before"
	if err := call("/nothing", nil, &got); err != nil || got != "before" {
		t.Errorf("got %q, %v", got, err)
	}
	var refused *api.Error
	if err := call("/refused", nil, &got); !errors.As(err, &refused) || refused.Code != api.CodeConflict {
		t.Errorf("got %v", err)
	}
	if err := call("/aborted", nil, &got); err == nil || !strings.Contains(err.Error(), "broken off") {
		t.Errorf("got %v", err)
	}
	if len(n.dials) > 0 {
		t.Errorf("connections were made: %v", n.dials)
	}
}
