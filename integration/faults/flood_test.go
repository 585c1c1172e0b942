//go:build linux

package faults

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/musterhq/muster/integration/fleet"
	"github.com/musterhq/muster/integration/fleet/fleettest"
	"github.com/musterhq/muster/integration/lab"
)

// Connections that say nothing, and how many of them an agent has open at once:
// of those without a TLS handshake (security/mux.go), of strangers with one
// (agent/serve.go), with room for the connections between members.
const (
	silentSockets = 10_000
	silentGuests  = 1000
	silentClients = 10_000

	fewSockets = 512 + 100
	fewGuests  = 256 + 100
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

	files := openFiles(c, target.AgentPID())
	few := func(limit int) func(context.Context) error {
		return func(context.Context) error {
			if n := openFiles(c, target.AgentPID()); n > files+limit {
				return fmt.Errorf("%d files are open, %d before", n, files)
			}
			return nil
		}
	}
	// Sooner than those who say nothing are closed for that.
	hold(c, silentGuests, func(ctx context.Context) (net.Conn, error) {
		d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}
		return d.DialContext(ctx, "tcp", target.Addr+":7070")
	}, "")
	c.Within(3*time.Second, "few connections of strangers", few(fewGuests))
	hold(c, silentSockets, to("tcp", target.Addr+":7070"), "")
	c.Within(3*time.Second, "few connections without a handshake", few(fewGuests+fewSockets))
	hold(c, 100, to("unix", target.Socket), "GET /v1/events?follow=1 HTTP/1.1\r\nHost: muster\r\n\r\n")
	flood := callAgainAndAgain(c, target, 200)

	c.Run(c.Others(target)[0], "deploy", "-f", c.File("compose.yaml", beside))
	if n := flood(); n < 200 {
		t.Errorf("only %d calls were answered: this shows nothing", n)
	}
	c.Run(target, "scale", "beside/it=4")
	c.Must(c.AwaitAnswers(t.Context(), fleettest.Port, target))
	requests.NoneFailed()
	if n := openFiles(c, target.AgentPID()); n > files+fewGuests+fewSockets+200 {
		t.Errorf("%d files are open, %d before", n, files)
	}
	calm()
}

// TestIdleClients has a published port of one host take ten thousand clients that
// say nothing. The data plane holds as many of them as its limit of open files allows,
// with room left for everything else, and not much memory; the cluster works on,
// that host included, and the port is there again when they have gone.
func TestIdleClients(t *testing.T) {
	c := cluster(t)
	c.DeployWeb(6)
	calm := watch(c)
	target := c.FindFollower()
	requests := c.Requests(c.Others(target)...)

	pid := target.DataPlanePIDs()[0]
	limit, before := filesAllowed(c, pid), openFiles(c, pid)
	most := min(silentClients, limit/4*3/2)
	leave := hold(c, silentClients, to("tcp", fmt.Sprintf("%s:%d", target.Addr, fleettest.Port)), "")
	c.Within(fleettest.Soon, "the clients that there is room for", func(context.Context) error {
		if n := openFiles(c, pid) - before; n < 2*most {
			return fmt.Errorf("%d more files are open than before, want %d for %d clients", n, 2*most, most)
		}
		return nil
	})
	if n := openFiles(c, pid); n > before+2*most+200 {
		t.Errorf("%d files are open of %d, %d before", n, limit, before)
	}
	t.Logf("%d idle clients of %d, %d files open of %d", most, silentClients, openFiles(c, pid), limit)
	c.Run(target, "deploy", "-f", c.File("compose.yaml", beside))
	c.Run(c.Others(target)[0], "scale", "beside/it=4")
	if _, err := fleet.Status(t.Context(), target); err != nil {
		t.Error(err)
	}
	leave()
	c.Must(c.AwaitAnswers(t.Context(), fleettest.Port, target))
	requests.NoneFailed()
	calm()
}

// filesAllowed is a process's limit of open files.
func filesAllowed(c *fleettest.Cluster, pid int) int {
	c.T.Helper()
	for line := range strings.Lines(read(c, fmt.Sprintf("/proc/%d", pid), "limits")) {
		if rest, ok := strings.CutPrefix(line, "Max open files"); ok {
			n, err := strconv.Atoi(strings.Fields(rest)[0])
			c.Must(err)
			return n
		}
	}
	c.T.Fatal("no limit of open files")
	return 0
}

// openFiles counts a process's.
func openFiles(c *fleettest.Cluster, pid int) int {
	c.T.Helper()
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	c.Must(err)
	return len(files)
}

// hold opens connections, says the same on each, and keeps them without reading
// until release is called, or to the test's end.
func hold(c *fleettest.Cluster, n int, dial func(context.Context) (net.Conn, error), said string) (release func()) {
	c.T.Helper()
	var mu sync.Mutex
	var held []io.Closer
	release = func() {
		for _, conn := range held {
			_ = conn.Close()
		}
		held = nil
	}
	c.T.Cleanup(release)
	g, ctx := errgroup.WithContext(c.T.Context())
	g.SetLimit(32)
	for range n {
		g.Go(func() error {
			conn, err := dial(ctx)
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
	return release
}

// to dials an address.
func to(network, address string) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) { return (&net.Dialer{}).DialContext(ctx, network, address) }
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
