package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/musterhq/muster/api"
)

// stream sends r and yields the values of its answer; an error is the last
// thing that it yields. A canceled context ends the stream with its error.
func stream[T any](ctx context.Context, c *Client, r call) iter.Seq2[T, error] {
	return streamed[T](ctx, c, r, func() {})
}

// streamed is stream, and calls begun when the agent has begun to answer.
func streamed[T any](ctx context.Context, c *Client, r call, begun func()) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		resp, err := c.send(ctx, r)
		if err != nil {
			yield(zero, err)
			return
		}
		defer resp.Body.Close()
		begun()
		decoder := json.NewDecoder(resp.Body)
		for {
			v, err := next[T](decoder)
			if err != nil && ctx.Err() != nil {
				err = ctx.Err() // a connection that is torn down can look like an end
			}
			if errors.Is(err, io.EOF) {
				return
			}
			if !yield(v, err) || err != nil {
				return
			}
		}
	}
}

// next decodes one value; one of the form of api.ErrorBody is what ended the
// stream on the other side.
func next[T any](decoder *json.Decoder) (T, error) {
	var v T
	var raw json.RawMessage
	if err := decoder.Decode(&raw); err != nil {
		if errors.Is(err, io.EOF) {
			return v, io.EOF
		}
		return v, fmt.Errorf("read the agent's stream: %w", err)
	}
	if bytes.HasPrefix(raw, []byte(`{"error":{`)) {
		var b api.ErrorBody
		if json.Unmarshal(raw, &b) == nil && b.Error != nil {
			return v, b.Error
		}
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return v, fmt.Errorf("read the agent's stream: %w", err)
	}
	return v, nil
}

// LogQuery selects log lines, of a stack, of a service or of a task.
type LogQuery struct {
	Stack   string
	Service string // stack/service
	Task    string
	Follow  bool
	Tail    int       // last lines of each task; negative: all
	Since   time.Time // zero: from the start
}

// Logs streams the output of tasks, merged in time.
func (c *Client) Logs(ctx context.Context, q LogQuery) iter.Seq2[api.LogLine, error] {
	query := filter("stack", q.Stack, "service", q.Service, "task", q.Task)
	follow(query, q.Follow, q.Tail)
	if !q.Since.IsZero() {
		query.Set("since", q.Since.UTC().Format(time.RFC3339Nano))
	}
	return stream[api.LogLine](ctx, c, call{method: http.MethodGet, path: path("logs"), query: query})
}

func follow(query url.Values, follow bool, tail int) {
	if follow {
		query.Set("follow", "1")
	}
	if tail >= 0 {
		query.Set("tail", strconv.Itoa(tail))
	}
}

// PushImage spreads an image and streams each node's result.
func (c *Client) PushImage(ctx context.Context, p api.PushImage) iter.Seq2[api.PushProgress, error] {
	return stream[api.PushProgress](ctx, c, call{method: http.MethodPost, path: path("images", "push"), body: p})
}

// PruneImages removes images that nobody needs and streams each node's result.
func (c *Client) PruneImages(ctx context.Context, p api.PruneImages) iter.Seq2[api.PrunedImages, error] {
	return stream[api.PrunedImages](ctx, c, call{method: http.MethodPost, path: path("images", "prune"), body: p})
}

// Build is the recipe of an image.
type Build struct {
	Tag        string
	Dockerfile string // within the context
	Target     string
	Args       map[string]string
}

// BuildImage sends the context, a tar archive, and streams the builder's output.
func (c *Client) BuildImage(ctx context.Context, b Build, archive io.Reader) iter.Seq2[api.BuildLine, error] {
	query := filter("tag", b.Tag, "dockerfile", b.Dockerfile, "target", b.Target)
	for _, key := range slices.Sorted(maps.Keys(b.Args)) {
		query.Add("arg", key+"="+b.Args[key])
	}
	return stream[api.BuildLine](ctx, c, call{method: http.MethodPost, path: path("images", "build"), query: query, body: archive})
}
