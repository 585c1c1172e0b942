//go:build linux

package faults

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/musterhq/muster/integration/fleet"
	"github.com/musterhq/muster/integration/fleet/fleettest"
	"github.com/musterhq/muster/integration/lab"
)

// Connections that say nothing, to the API and to a published port, and what an
// agent lets strangers have of the former (agent/serve.go), with room for the
// connections between members.
const (
	silentGuests  = 6000
	silentClients = 4000
	fewGuests     = 256 + 100
)

// TestFlood has one host take thousands of connections that say nothing, hundreds
// of calls at once, and readers that never read: it holds few of the strangers'
// connections and not much memory, and the cluster works on, that host included.
func TestFlood(t *testing.T) {
	c := cluster(t)
	c.DeployWeb(6)
	calm := watch(c)
	target := c.FindFollower()
	requests := c.Requests(c.Others(target)...)

	files := openFiles(c, target)
	hold(c, silentGuests, "tcp", target.Addr+":7070", "")
	c.Within(fleettest.Soon, "few connections of strangers", func(context.Context) error {
		if n := openFiles(c, target); n > files+fewGuests {
			return fmt.Errorf("%d files are open, %d before", n, files)
		}
		return nil
	})
	hold(c, silentClients, "tcp", fmt.Sprintf("%s:%d", target.Addr, fleettest.Port), "")
	c.Within(fleettest.Soon, "the clients of the published port", func(context.Context) error {
		if n := openFiles(c, target); n < files+silentClients {
			return fmt.Errorf("%d files are open, %d before", n, files)
		}
		return nil
	})
	hold(c, 100, "unix", target.Socket, "GET /v1/events?follow=1 HTTP/1.1\r\nHost: muster\r\n\r\n")
	flood := callAgainAndAgain(c, target, 200)

	c.Run(c.Others(target)[0], "deploy", "-f", c.File("compose.yaml", beside))
	if n := flood(); n < 200 {
		t.Errorf("only %d calls were answered: this shows nothing", n)
	}
	c.Run(target, "scale", "beside/it=4")
	c.Must(c.AwaitAnswers(t.Context(), fleettest.Port, target))
	requests.NoneFailed()
	if n := openFiles(c, target); n > files+fewGuests+2*silentClients+200 {
		t.Errorf("%d files are open, %d before", n, files)
	}
	calm()
}

// openFiles counts the agent's.
func openFiles(c *fleettest.Cluster, h *lab.Host) int {
	c.T.Helper()
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", h.AgentPID()))
	c.Must(err)
	return len(files)
}

// hold opens connections, says the same on each, and keeps them to the test's
// end without reading.
func hold(c *fleettest.Cluster, n int, network, address, said string) {
	c.T.Helper()
	var mu sync.Mutex
	var held []io.Closer
	c.T.Cleanup(func() {
		for _, conn := range held {
			_ = conn.Close()
		}
	})
	g, ctx := errgroup.WithContext(c.T.Context())
	g.SetLimit(32)
	for range n {
		g.Go(func() error {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
			if err != nil {
				return err
			}
			mu.Lock()
			held = append(held, conn)
			mu.Unlock()
			_, err = io.WriteString(conn, said)
			return err
		})
	}
	c.Must(g.Wait())
}

// callAgainAndAgain has callers ask h for the cluster's status without a pause
// until it is stopped, and then tells how many were answered.
func callAgainAndAgain(c *fleettest.Cluster, h *lab.Host, callers int) (stop func() (answered int)) {
	ctx, cancel := context.WithCancel(c.T.Context())
	var wg sync.WaitGroup
	var mu sync.Mutex
	answered := 0
	for range callers {
		wg.Go(func() {
			for ctx.Err() == nil {
				if _, err := fleet.Status(ctx, h); err == nil {
					mu.Lock()
					answered++
					mu.Unlock()
				}
			}
		})
	}
	stop = func() int {
		cancel()
		wg.Wait()
		return answered
	}
	c.T.Cleanup(func() { stop() })
	return stop
}
