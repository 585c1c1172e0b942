package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/musterhq/muster/api"
)

var errTimeout = errors.New("the agent did not answer in time")

// call is one request, as often as it is sent.
type call struct {
	method string
	path   string
	query  url.Values
	body   any // sent as JSON; nil for none
	// once is set for a write of which a repetition is not known to be
	// harmless: it is sent again only when it certainly had no effect.
	once    bool
	timeout time.Duration // of one attempt; 0: none but the context's
}

// path joins escaped parts.
func path(parts ...string) string {
	var b strings.Builder
	b.WriteString("/v1")
	for _, p := range parts {
		b.WriteByte('/')
		b.WriteString(url.PathEscape(p))
	}
	return b.String()
}

// read sends a GET and decodes its answer; it is sent again once when the
// connection broke.
func read[T any](ctx context.Context, c *Client, p string, query url.Values) (T, error) {
	r := call{method: http.MethodGet, path: p, query: query, timeout: readTimeout}
	out, err := attempt[T](ctx, c, r)
	var connect *ConnectError
	if err != nil && lost(err) && !errors.As(err, &connect) && !errors.Is(err, errTimeout) && ctx.Err() == nil {
		return attempt[T](ctx, c, r)
	}
	return out, err
}

// attempt sends r once and decodes the answer.
func attempt[T any](ctx context.Context, c *Client, r call) (T, error) {
	var out T
	if r.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, r.timeout, errTimeout)
		defer cancel()
	}
	resp, err := c.send(ctx, r)
	if err != nil {
		return out, err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNoContent {
		return out, nil
	}
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		return out, reason(ctx, fmt.Errorf("read the agent's answer: %w", err))
	}
	return out, nil
}

// send sends r once; a response that is not a success is an error.
func (c *Client) send(ctx context.Context, r call) (*http.Response, error) {
	var body io.Reader
	kind := ""
	switch b := r.body.(type) {
	case nil:
	case io.Reader:
		body, kind = b, "application/x-tar"
	default:
		data, err := json.Marshal(b)
		if err != nil {
			return nil, fmt.Errorf("encode the call: %w", err)
		}
		body, kind = bytes.NewReader(data), "application/json"
	}
	target := "http://muster" + r.path
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, body)
	if err != nil {
		return nil, err
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, reason(ctx, strip(err))
	}
	if resp.Header.Get(api.StaleHeader) != "" {
		c.stale.Store(true)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		defer resp.Body.Close()
		return nil, answered(resp)
	}
	return resp, nil
}

// strip removes what net/http puts in front of an error: the method and the
// stand-in address, and how far it got with a connection.
func strip(err error) error {
	var connect *ConnectError
	var u *url.Error
	switch {
	case errors.As(err, &connect):
		return connect
	case errors.As(err, &u):
		return u.Err
	}
	return err
}

// reason names our own deadline where it was the one that ended the call.
func reason(ctx context.Context, err error) error {
	if errors.Is(err, context.DeadlineExceeded) && errors.Is(context.Cause(ctx), errTimeout) {
		return errTimeout
	}
	return err
}
