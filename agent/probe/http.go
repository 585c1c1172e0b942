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
	conn, err := dial(ctx, c.at)
	if err != nil {
		return err
	}
	defer conn.Close()
	t := transport(conn)
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

// errSecond is for a transport that tries again.
var errSecond = errors.New("the connection was closed")

// transport sends one request over the connection, whatever the request says, with
// no proxy. It does not close the connection where it gives up: its owner does.
func transport(conn net.Conn) *http.Transport {
	once := make(chan net.Conn, 1)
	once <- conn
	return &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			select {
			case conn := <-once:
				return conn, nil
			default:
				return nil, errSecond
			}
		},
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: mostRead,
	}
}
