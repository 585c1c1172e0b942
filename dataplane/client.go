package dataplane

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/musterhq/muster/lb/proxy"
)

const (
	// silence is how long a data plane may say nothing.
	silence = 4 * reportEvery
	// missing is how long there may be none before that is a problem: one that
	// starts takes a moment.
	missing = 3 * time.Second

	minRedial   = 20 * time.Millisecond
	maxRedial   = time.Second
	startsApart = 5 * time.Second
)

// ClientConfig is how an agent reaches its data plane.
type ClientConfig struct {
	Socket  string
	Version string // of the agent
	// Program is the path of the agent's: it goes on where the data plane is of
	// another version.
	Program string
	// Start starts a data plane where none answers; nil: somebody else does.
	Start  func() error
	Logger *slog.Logger
	// Served is called when another table is in effect; nil: nobody waits for it.
	Served func()
}

// Client is the agent's end: it finds the data plane, brings it the newest table
// and hears how it fares, again and again until it is closed.
type Client struct {
	cfg  ClientConfig
	wake chan struct{} // there is something to say
	jobs sync.WaitGroup
	stop context.CancelFunc

	mu       sync.Mutex
	table    *Table // nil: the data plane goes by what it has
	replaced bool   // one of another version was asked to make way
	heard    report
	lost     time.Time // since when there is none; zero while there is
	trouble  error     // why
}

// Connect begins. Close ends it; the data plane runs on.
func Connect(cfg ClientConfig) *Client {
	ctx, cancel := context.WithCancel(context.Background())
	c := &Client{cfg: cfg, wake: make(chan struct{}, 1), stop: cancel, lost: time.Now(), trouble: errors.New("it was not reached yet")}
	c.jobs.Go(func() { c.run(ctx) })
	return c
}

// Set has the table served, if it is newer than the one before; it never blocks.
func (c *Client) Set(t Table) {
	c.mu.Lock()
	c.table = &t
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default: // it will read this table
	}
}

// Problems says what is not served as it should be.
func (c *Client) Problems() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.lost.IsZero():
		return c.heard.Problems
	case time.Since(c.lost) < missing:
		return nil
	}
	return []string{fmt.Sprintf("published ports may not be served: the data plane does not answer: %v; `systemctl restart muster-dataplane` starts it again", c.trouble)}
}

// Served is the state of which the table is that is in effect; ok is false while
// the data plane is not reached.
func (c *Client) Served() (epoch, index uint64, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.heard.Epoch, c.heard.Index, c.lost.IsZero()
}

// Stats counts the traffic, by service, as told last.
func (c *Client) Stats() []proxy.ServiceStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.heard.Stats
}

// Close leaves the data plane to itself.
func (c *Client) Close() {
	c.stop()
	c.jobs.Wait()
}

func (c *Client) run(ctx context.Context) {
	pause, started := minRedial, time.Time{}
	for ctx.Err() == nil {
		conn, err := (&net.Dialer{Timeout: silence}).DialContext(ctx, "unix", c.cfg.Socket)
		if err == nil {
			pause = minRedial
			err = c.talk(ctx, conn)
		} else if c.cfg.Start != nil && time.Since(started) > startsApart {
			started = time.Now()
			if failed := c.cfg.Start(); failed != nil {
				err = failed
			}
		}
		if ctx.Err() != nil {
			return
		}
		c.miss(err)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, maxRedial)
	}
}

func (c *Client) miss(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.trouble = err; c.lost.IsZero() {
		c.lost = time.Now()
		c.cfg.Logger.Info("the connection to the data plane ended", "error", err)
	}
}

// talk returns when the connection is over.
func (c *Client) talk(ctx context.Context, conn net.Conn) error {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	heard := make(chan error, 1)
	go func() {
		defer cancel()
		heard <- c.hear(conn)
	}()
	err := c.speak(ctx, conn)
	cancel()
	if ended := <-heard; err == nil {
		err = ended
	}
	return err
}

// speak brings the newest table whenever there is one.
func (c *Client) speak(ctx context.Context, conn net.Conn) error {
	out := cbor.NewEncoder(conn)
	var told *Table
	for {
		var o order
		c.mu.Lock()
		if c.table != told {
			told, o.Table = c.table, c.table
		}
		if c.heard.Version != "" && c.heard.Version != c.cfg.Version && !c.replaced && c.lost.IsZero() {
			c.replaced, o.Replace = true, c.cfg.Program
		}
		c.mu.Unlock()
		if o != (order{}) {
			_ = conn.SetWriteDeadline(time.Now().Add(writeLimit))
			if err := out.Encode(o); err != nil {
				return fmt.Errorf("bring it the table: %w", err)
			}
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-c.wake:
		}
	}
}

// hear takes reports until there are no more.
func (c *Client) hear(conn net.Conn) error {
	in := newMessages(conn)
	for {
		_ = conn.SetReadDeadline(time.Now().Add(silence))
		var r report
		if err := in.next(&r); err != nil {
			return err
		}
		c.mu.Lock()
		first, news := !c.lost.IsZero(), r.Epoch != c.heard.Epoch || r.Index != c.heard.Index
		c.heard, c.lost, c.trouble = r, time.Time{}, nil
		c.mu.Unlock()
		if news && c.cfg.Served != nil {
			c.cfg.Served()
		}
		if first {
			c.cfg.Logger.Info("the data plane answers", "version", r.Version)
			select {
			case c.wake <- struct{}{}: // its version may not be the right one
			default:
			}
		}
	}
}

// Clear tells the data plane at a socket that this host is in no cluster, and
// returns when nothing is served there any more. Where none answers there is
// nothing to tell.
func Clear(ctx context.Context, socket string) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
	if errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ECONNREFUSED) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reach the data plane: %w", err)
	}
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	if err := cbor.NewEncoder(conn).Encode(order{Clear: true}); err != nil {
		return fmt.Errorf("tell the data plane: %w", err)
	}
	in := newMessages(conn)
	for {
		var r report
		switch err := in.next(&r); {
		case errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET):
			return nil // it ended
		case err != nil:
			return fmt.Errorf("hear of the data plane: %w", err)
		case r.Index == 0:
			return nil
		}
	}
}
