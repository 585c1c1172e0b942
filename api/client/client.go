package client

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/musterhq/muster/configs"
)

// DefaultHost is where the local agent listens.
const DefaultHost = "unix://" + configs.DefaultSocket

// Bounds of a call.
const (
	RetryFor    = 10 * time.Second // a write that cannot be taken yet
	waitNotice  = 2 * time.Second  // after which OnWait is told
	readTimeout = 30 * time.Second // one attempt of a read
	writeBudget = 2 * time.Minute  // one attempt of a write: images are resolved on the way
)

// Client calls one agent. It is safe for concurrent use.
type Client struct {
	host   string
	dial   func(context.Context) (net.Conn, error)
	http   *http.Client
	onWait func(error)
	stale  atomic.Bool // an answer was
}

// Option changes a Client.
type Option func(*Client)

// OnWait has f told, once a call, why a write is being tried again for more than
// two seconds.
func OnWait(f func(error)) Option { return func(c *Client) { c.onWait = f } }

// Stale reports whether an answer of this client came from a node that reaches
// no leader: it may be old, and what only a leader measures is missing.
func (c *Client) Stale() bool { return c.stale.Load() }

// New makes a client of the agent at host: unix://PATH, or
// ssh://[user@]host[:port][/path/to/socket]. Nothing is dialled yet.
func New(host string, options ...Option) (*Client, error) {
	if host == "" {
		host = DefaultHost
	}
	u, err := url.Parse(host)
	if err != nil {
		return nil, fmt.Errorf("the host %q is not an address; use unix:///run/muster.sock or ssh://user@host", host)
	}
	c := &Client{host: host, onWait: func(error) {}}
	switch u.Scheme {
	case "unix":
		if u.Host != "" || u.Path == "" {
			return nil, fmt.Errorf("the host %q has no absolute path; write it with three slashes, as unix:///run/muster.sock", host)
		}
		c.dial = dialUnix(u.Path)
	case "ssh":
		if c.dial, err = dialSSH(u); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("the host %q has an unknown kind of address; use unix:///run/muster.sock or ssh://user@host", host)
	}
	for _, o := range options {
		o(c)
	}
	c.http = &http.Client{
		Transport: &http.Transport{
			DialContext:        func(ctx context.Context, _, _ string) (net.Conn, error) { return c.Dial(ctx) },
			DisableCompression: true,
			MaxIdleConns:       4,
			IdleConnTimeout:    time.Minute,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c, nil
}

// Host is the address that the client was made with.
func (c *Client) Host() string { return c.host }

// Close ends idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Dial opens a raw connection to the agent's socket. The error is a
// *ConnectError, unless ctx was canceled.
func (c *Client) Dial(ctx context.Context) (net.Conn, error) {
	conn, err := c.dial(ctx)
	if err != nil {
		return nil, connectError(c.host, err)
	}
	return conn, nil
}

func dialUnix(path string) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}
}
