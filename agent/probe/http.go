package probe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"

	"github.com/musterhq/muster/cluster"
)

// userAgent is what a program sees of who asks.
const userAgent = "muster-health/1"

// httpCheck passes where a GET is answered with a status that is well.
type httpCheck struct {
	at   netip.AddrPort
	spec cluster.HTTPProbe
}

func (c *httpCheck) url() string { return "http://" + c.at.String() + cmp.Or(c.spec.Path, "/") }

func (c *httpCheck) name() string { return "GET " + c.url() }

// do judges the status that the task itself answers with: a redirect is one, and
// is not followed. An answer must end in time, or be longer than is read of it.
func (c *httpCheck) do(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url(), nil)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", userAgent)
	t := transport(c.at)
	defer t.CloseIdleConnections()
	resp, err := t.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if !c.well(resp.StatusCode) {
		return errors.New(resp.Status)
	}
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, mostRead)); err != nil {
		return fmt.Errorf("%s, and then: %w", resp.Status, err)
	}
	return nil
}

func (c *httpCheck) well(status int) bool {
	if c.spec.Status != 0 {
		return status == c.spec.Status
	}
	return status >= 200 && status < 400
}

// transport reaches the one address, whatever a request says, with no proxy and
// for one request.
func transport(at netip.AddrPort) *http.Transport {
	return &http.Transport{
		DialContext:            func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, at) },
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: mostRead,
	}
}
