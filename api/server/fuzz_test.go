package server

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/musterhq/muster/cluster"
)

// says is a peer that answers whatever it is told to.
type says struct {
	Peers
	answer string
}

func (s says) Stream(context.Context, cluster.NodeID, string, string, io.Reader) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(s.answer)), nil
}

// What another node sends as its part of the logs may be anything.
func FuzzLogStream(f *testing.F) {
	f.Add("{\"at\":\"2026-01-02T15:04:05Z\",\"stream\":\"stdout\",\"line\":\"x\"}\n{\"stream\":\"error\",\"line\":\"gone\"}\n")
	f.Add("{\"stream\":\"caught-up\"}\n[]\n")
	f.Add(strings.Repeat("x", 100))
	f.Fuzz(func(t *testing.T, answer string) {
		c := &call{Backend: &Backend{Self: "a", Peers: says{answer: answer}}, ctx: t.Context()}
		lines := 0
		err := c.readRemote(t.Context(), "b", "c", logRange{tail: -1}, func(logItem) error { lines++; return nil })
		if err == nil && lines > strings.Count(answer, "\n")+1 {
			t.Errorf("%d lines out of %q", lines, answer)
		}
	})
}

// Filters and other words in an address may be anything; those that are
// understood mean the same when they are passed on.
func FuzzQuery(f *testing.F) {
	for _, q := range []string{
		"follow=1&tail=10&since=2026-01-02T15:04:05.5Z", "tail=-5", "service=shop/web&task=01&node=n1", "id=sha256:00", "cmd=sh&env=A=1&tty=1&rows=9999999999",
	} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, query string) {
		q, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		if r, err := parseLogRange(q); err == nil {
			again, err := parseLogRange(r.values())
			if r.tail < 0 {
				r.tail = -1 // all of it
			}
			if err != nil || again.follow != r.follow || again.tail != r.tail || !again.since.Equal(r.since) {
				t.Errorf("%q is %+v, passed on %+v, %v", query, r, again, err)
			}
		}
		_, _ = parseImage("id", q.Get("id"))
		_, _ = parseImage("image", q.Get("service"))
		req := httptest.NewRequest(http.MethodGet, "/", nil)
		req.URL.RawQuery = query
		req.Header.Set("Upgrade", "websocket")
		_, _ = parseExec(req)
	})
}
