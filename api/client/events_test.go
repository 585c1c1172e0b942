package client

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/api"
)

// history serves events and breaks the connection after some of them.
type history struct {
	asked []string // after which index, one a connection
	cuts  []int    // events until each connection breaks; more connections last
}

func (h *history) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	after := r.URL.Query().Get("after")
	h.asked = append(h.asked, after)
	from := uint64(0)
	_, _ = fmt.Sscan(after, &from)
	cut := -1
	if n := len(h.asked); n <= len(h.cuts) {
		cut = h.cuts[n-1]
	}
	out := json.NewEncoder(w)
	for _, e := range []api.Event{{Index: 4, Name: "a"}, {Index: 7, Name: "b"}, {Index: 7, Name: "c"}, {Index: 9, Name: "d"}} {
		if e.Index <= from {
			continue
		}
		if cut == 0 {
			panic(http.ErrAbortHandler)
		}
		cut--
		_ = out.Encode(e)
		_ = http.NewResponseController(w).Flush()
	}
	if cut >= 0 {
		return // an end in order
	}
	<-r.Context().Done()
}

// A history that is followed goes on where it was when a connection breaks or
// ends: nothing is lost, nothing comes twice.
func TestFollowedEventsGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &history{cuts: []int{2, 1, 3}}
		c := serve(t, h.ServeHTTP)
		var got []string
		for e, err := range c.Events(t.Context(), EventQuery{Follow: true, Tail: 100}) {
			if err != nil {
				t.Fatal(err)
			}
			if got = append(got, e.Name); e.Name == "d" {
				break
			}
		}
		if diff := cmp.Diff([]string{"a", "b", "c", "d"}, got); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"", "6", "6"}, h.asked); diff != "" {
			t.Errorf("asked after (-want +got):\n%s", diff)
		}
	})
}

// What is not followed, and an agent that never answered, is an error at once;
// one that stays away is one after a while.
func TestEventsThatCannotGoOn(t *testing.T) {
	for _, tt := range []struct {
		name   string
		follow bool
		cuts   []int
		took   time.Duration
	}{
		{"not followed", false, []int{1}, 0},
		{"never an answer", true, nil, 0},
		{"away for good", true, []int{1}, resumeFor},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &history{cuts: tt.cuts}
				c := serve(t, func(w http.ResponseWriter, r *http.Request) {
					if len(h.asked) == len(h.cuts) {
						fail(w, api.Errorf(api.CodeUnavailable, "no leader"))
						return
					}
					h.ServeHTTP(w, r)
				})
				begun := time.Now()
				var failed error
				for _, err := range c.Events(t.Context(), EventQuery{Follow: tt.follow, Tail: 100}) {
					failed = err
				}
				if failed == nil {
					t.Error("it ended without an error")
				}
				if took := time.Since(begun); took < tt.took || took > tt.took+time.Second {
					t.Errorf("it took %v, want %v", took, tt.took)
				}
			})
		})
	}
}
