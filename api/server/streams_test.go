package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// history is what a read of the events shows, a line each.
func history(t *testing.T, h *host, query string) (out []string) {
	t.Helper()
	w := h.raw(http.MethodGet, "/v1/events"+query, "")
	if w.Code != http.StatusOK {
		t.Fatalf("%s: HTTP %d %s", query, w.Code, w.Body)
	}
	for dec := json.NewDecoder(bytes.NewReader(w.Body.Bytes())); dec.More(); {
		var e api.Event
		if err := dec.Decode(&e); err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprintf("%s %s %s %s", e.Type, e.Action, e.Name, e.Node))
	}
	return out
}

func TestEvents(t *testing.T) {
	r := newRing(t, nil, "n1", "n2", "w3")
	r.put()
	r.task("A", 1, "w3", up)
	before := r.view().Index()
	r.condition("w3", cluster.Down)
	r.remove("w3")
	w3 := string(r.host("w3").id)
	for query, want := range map[string][]string{
		"?type=service":                        {"service created shop/web "},
		"?type=task&service=shop/web":          {"task created shop/web.1 " + w3, "task running shop/web.1 " + w3},
		"?node=n2":                             {"node joined n2 n2", "node promoted n2 n2"},
		"?node=n2&tail=1":                      {"node promoted n2 n2"},
		"?tail=0":                              nil,
		fmt.Sprintf("?after=%d", before):       {"node down  " + w3, "node removed  " + w3},
		"?type=cluster":                        {"cluster created  "},
		fmt.Sprintf("?after=%d", before+1_000): nil,
	} {
		for _, asked := range []string{"n1", "n2"} {
			if diff := cmp.Diff(want, history(t, r.host(asked), query)); diff != "" {
				t.Errorf("%s through %s (-want +got):\n%s", query, asked, diff)
			}
		}
	}
	for _, query := range []string{"?tail=x", "?after=x"} {
		wantCode(t, query, r.host("n1").try(http.MethodGet, "/v1/events"+query, nil, nil), api.CodeInvalid)
	}
}

// A reader that follows sees each event once, and is sent elsewhere by a voter
// that is demoted.
func TestEventsAreFollowed(t *testing.T) {
	r := newRing(t, nil, "n1", "n2")
	r.noLeader() // n2 answers itself
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	body, err := r.host("n1").pool.Stream(ctx, r.host("n2").id, http.MethodGet, "/v1/events?follow=1&type=service", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = body.Close() }()
	dec := json.NewDecoder(body)
	for i := range 3 {
		r.put(replicas(i + 3))
		var e api.Event
		if err := dec.Decode(&e); err != nil || e.Index != r.view().Index() || e.Name != "shop/web" {
			t.Fatalf("event %d: %+v, %v", i, e, err)
		}
		r.apply(state.LabelNode{Node: r.host("n1").id, Set: map[string]string{"x": fmt.Sprint(i)}})
	}
	r.mu.Lock()
	r.demoted = map[string]bool{"n2": true}
	r.wake()
	r.mu.Unlock()
	var e api.Event
	if err := dec.Decode(&e); !errors.Is(err, io.EOF) {
		t.Errorf("then %+v, %v", e, err)
	}
}
