package peer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
)

// Bounds of what a control call may answer, in bytes.
const (
	maxReply = 64 << 20
	maxError = 64 << 10
)

var errTooLong = errors.New("the answer is too long")

// Call sends in as JSON and decodes the answer into out; either may be nil. A
// node that answers an error gives an *api.Error. One that has nothing to say,
// as older versions may, leaves out as it is.
func (p *Pool) Call(ctx context.Context, node cluster.NodeID, method, path string, in, out any) error {
	return p.call(ctx, node, Control, method, path, in, out)
}

// Beat posts like Call, over the connection for what is said all the time.
func (p *Pool) Beat(ctx context.Context, node cluster.NodeID, path string, in, out any) error {
	return p.call(ctx, node, Beat, http.MethodPost, path, in, out)
}

func (p *Pool) call(ctx context.Context, node cluster.NodeID, class Class, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("encode call %s: %w", path, err)
		}
		body = bytes.NewReader(b)
	}
	resp, err := p.do(ctx, node, class, method, path, body)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	answer := &bounded{resp.Body, p.maxReply}
	if out == nil || resp.StatusCode == http.StatusNoContent {
		_, _ = io.Copy(io.Discard, answer)
		return nil
	}
	if err := json.NewDecoder(answer).Decode(out); err != nil {
		return fmt.Errorf("%s %s of node %s: decode the answer: %w", method, path, node, err)
	}
	return nil
}

// Stream sends a request over the bulk connection and returns the answer's
// body, to be closed by the caller.
func (p *Pool) Stream(ctx context.Context, node cluster.NodeID, method, path string, body io.Reader) (io.ReadCloser, error) {
	resp, err := p.do(ctx, node, Bulk, method, path, body)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

func (p *Pool) do(ctx context.Context, node cluster.NodeID, class Class, method, path string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "https://"+string(node)+path, body)
	if err != nil {
		return nil, fmt.Errorf("call node %s: %w", node, err)
	}
	resp, err := p.send(req, node, class)
	if err != nil {
		return nil, fmt.Errorf("%s %s of node %s: %w", method, path, node, err)
	}
	if resp.StatusCode < 300 {
		return resp, nil
	}
	defer func() { _ = resp.Body.Close() }()
	var e api.ErrorBody
	if err := json.NewDecoder(&bounded{resp.Body, maxError}).Decode(&e); err != nil || e.Error == nil {
		return nil, fmt.Errorf("%s %s of node %s: HTTP %s", method, path, node, resp.Status)
	}
	return nil, e.Error
}

func (p *Pool) send(req *http.Request, node cluster.NodeID, class Class) (*http.Response, error) {
	if class != Bulk && p.Own != nil && p.identity().NodeID == string(node) {
		return serveOwn(p.Own, req)
	}
	return p.Transport(node, class).RoundTrip(req)
}

// bounded reads at most left bytes, and fails rather than end there.
type bounded struct {
	r    io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooLong
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}
