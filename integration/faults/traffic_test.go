//go:build linux

package faults

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/musterhq/muster/integration/fleet"
	"github.com/musterhq/muster/integration/fleet/fleettest"
	"github.com/musterhq/muster/integration/lab"
)

// balanced is the example service with a balance, and another one beside it that
// says that it is version 2 and has its own.
const balanced = `
name: app
services:
  web:
    image: muster-hello:1
    command: ["-udp", "-proxy-protocol"]
    ports: ["8080:80", "8080:80/udp"]
    stop_grace_period: 1s
    deploy: {replicas: 3}
    x-muster: {balance: {%s}}
  spare:
    image: muster-hello:2
    command: ["-udp", "-proxy-protocol"]
    ports: ["8081:80", "8081:80/udp"]
    stop_grace_period: 1s
    x-muster: {balance: {%s}}
`

const sparePort = 8081

// TestTraffic has a service balanced in one way after the other, none of which
// touches a container: clients' addresses, UDP, a stuck task, a limit, a redirect.
func TestTraffic(t *testing.T) {
	c := cluster(t)
	balance := func(web, spare string) {
		c.Run(c.Hosts[1], "deploy", "-y", "-d", "-f", c.File("compose.yaml", fmt.Sprintf(balanced, web, spare)))
	}
	balance("policy: least-request, proxy_protocol: v2", "")
	c.Settled(3, c.Hosts...)
	c.Must(c.AwaitAnswers(t.Context(), fleettest.Port, c.Hosts...))
	c.Must(c.AwaitAnswers(t.Context(), sparePort, c.Hosts...))
	tasks := c.Containers(c.Hosts...)
	before := c.Lives(tasks)
	eachHost := func(what string, check func(context.Context, *lab.Host) error) {
		t.Helper()
		for _, h := range c.Hosts {
			c.Within(fleettest.Soon, what+" through "+h.Name, func(ctx context.Context) error { return check(ctx, h) })
		}
	}

	eachHost("the client's address", func(ctx context.Context, h *lab.Host) error {
		a, err := c.Ask(ctx, h, fleettest.Port, 2*time.Second)
		if err == nil && a.Client != lab.OutsideAddr {
			err = fmt.Errorf("%s is told that the client is %s", a.Node, a.Client)
		}
		return err
	})
	eachHost("an answer over UDP", func(ctx context.Context, h *lab.Host) error {
		a, err := c.AskUDP(ctx, h, fleettest.Port, 2*time.Second)
		if err == nil && a.Version != "1" {
			err = fmt.Errorf("got %+v", a)
		}
		return err
	})
	stuckTask(c, tasks[0])
	redirects(c, eachHost)

	balance("", "connections: 2") // of which the UDP sessions of web are none
	c.Within(fleettest.Soon, "a third connection to be closed", func(ctx context.Context) error { return overLimit(ctx, c.Hosts[0]) })
	c.AwaitProblem(fleettest.Soon, c.Hosts[2], "port 8081 closes connections", "app/spare has 2 open on this node")
	metrics, err := metricsOf(t.Context(), c.Hosts[0])
	c.Must(err)
	for _, want := range []string{
		`muster_connections_shed_total{service="app/spare"} `, `muster_connections_shed_total{service="app/web"} 0`,
		`muster_containers{status="running"} `, "muster_raft_applied_index ",
	} {
		if !strings.Contains(metrics, "\n"+want) {
			t.Errorf("no %s in the metrics:\n%s", want, metrics)
		}
	}
	if strings.Contains(metrics, `muster_connections_shed_total{service="app/spare"} 0`) {
		t.Errorf("nothing was shed:\n%s", metrics)
	}
	c.SameLives(before, c.Hosts...)
}

// stuckTask stops a task by a signal. Its kernel takes connections and nobody
// answers them: each host sends it few of them, not the third that is its part. It
// may be as many as others have that have just been answered and are not over.
func stuckTask(c *fleettest.Cluster, one fleet.Container) {
	c.T.Helper()
	docker(c, one.Host, http.StatusNoContent, http.MethodPost, "/containers/"+one.ID+"/kill?signal=STOP", nil)
	defer docker(c, one.Host, http.StatusNoContent, http.MethodPost, "/containers/"+one.ID+"/kill?signal=CONT", nil)
	const asked = 24
	for _, h := range c.Hosts {
		failed := 0
		for range asked {
			if _, err := c.Ask(c.T.Context(), h, fleettest.Port, time.Second); err != nil {
				failed++
			}
		}
		if failed > asked/6 {
			c.T.Errorf("%d of %d requests through %s went to the task that is stuck", failed, asked, h.Name)
		}
	}
}

func redirects(c *fleettest.Cluster, eachHost func(string, func(context.Context, *lab.Host) error)) {
	c.T.Helper()
	answers := func(version string) func(context.Context, *lab.Host) error {
		return func(ctx context.Context, h *lab.Host) error {
			a, err := c.Ask(ctx, h, fleettest.Port, 2*time.Second)
			if err != nil {
				return err
			}
			u, err := c.AskUDP(ctx, h, fleettest.Port, 2*time.Second)
			if err == nil && (a.Version != version || u.Version != version) {
				err = fmt.Errorf("version %s answers, and over UDP version %s", a.Version, u.Version)
			}
			return err
		}
	}
	c.Run(c.Hosts[2], "redirect", "web", "spare", "-m", "a new disk")
	eachHost("the other service", answers("2"))
	if said := c.Run(c.Hosts[0], "status") + c.Run(c.Hosts[1], "ls"); !strings.Contains(said, "app/web to app/spare") || !strings.Contains(said, "80/udp to app/spare") {
		c.T.Errorf("status and ls do not show the redirect:\n%s", said)
	}
	c.Refused(c.Hosts[0], 1, []string{"app/web is redirected to app/spare; end that first"}, "redirect", "spare", "web")
	c.Run(c.Hosts[1], "redirect", "web", "--off")
	eachHost("its own tasks", answers("1"))
}

// overLimit holds two connections through a host, and tries a third.
func overLimit(ctx context.Context, h *lab.Host) error {
	for i := range 3 {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(h.Addr, strconv.Itoa(sparePort)))
		if err != nil {
			return fmt.Errorf("connection %d: %w", i+1, err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(2 * time.Second))
		_, _ = fmt.Fprintf(conn, "GET /healthz HTTP/1.1\r\nHost: %s\r\n\r\n", h.Name) // a failure shows below
		_, err = conn.Read(make([]byte, 1))
		if closed := errors.Is(err, syscall.ECONNRESET); closed != (i == 2) || err != nil && !closed {
			return fmt.Errorf("connection %d of 2 at most: %v", i+1, err)
		}
	}
	return nil
}

func metricsOf(ctx context.Context, h *lab.Host) (string, error) {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", h.Socket)
	}}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://agent/metrics", nil)
	if err != nil {
		return "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}
