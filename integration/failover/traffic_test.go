//go:build linux

package failover

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/musterhq/muster/integration/fleet/fleettest"
	"github.com/musterhq/muster/integration/lab"
)

// TestDataPlaneIsReplaced has another process go on with a host's traffic: no
// request fails, and a connection that is open stays open.
func TestDataPlaneIsReplaced(t *testing.T) {
	c := cluster(t)
	c.DeployWeb(3)
	c.Must(c.AwaitAnswers(t.Context(), fleettest.Port, c.Hosts...))
	h := c.Hosts[1]
	old := plane(c, h)
	conn := hold(c, h)
	asked := c.Requests(c.Hosts...)
	c.Must(unix.Kill(old, unix.SIGHUP))
	c.Within(fleettest.Soon, "another process to carry the traffic of "+h.Name, func(context.Context) error {
		if now := h.DataPlanePIDs(); len(now) != 2 { // the old one has a connection
			return fmt.Errorf("the data planes are %d", now)
		}
		return nil
	})
	asked.More(100)
	c.Must(conn.ask())
	asked.NoneFailed()
	c.Must(conn.Close())
	c.Within(fleettest.Soon, "the old process to end", func(context.Context) error {
		if now := h.DataPlanePIDs(); len(now) != 1 || now[0] == old {
			return fmt.Errorf("the data planes are %d", now)
		}
		return nil
	})
	c.Must(c.AwaitAnswers(t.Context(), fleettest.Port, c.Hosts...))
}

// TestDataPlaneDies kills a host's data plane: its agent starts another, which
// serves the table on disk, and requests to the other hosts notice nothing. With
// the agent dead, too, nobody starts one, and the next agent does.
func TestDataPlaneDies(t *testing.T) {
	c := cluster(t)
	before := c.Lives(c.DeployWeb(3))
	c.Must(c.AwaitAnswers(t.Context(), fleettest.Port, c.Hosts...))
	h := c.Hosts[1]
	asked := c.Requests(c.Others(h)...)
	c.Must(unix.Kill(plane(c, h), unix.SIGKILL))
	c.Must(c.AwaitAnswers(t.Context(), fleettest.Port, h))

	c.Must(h.KillAgent(t.Context()))
	c.Must(c.AwaitAnswers(t.Context(), fleettest.Port, h))
	c.Must(unix.Kill(plane(c, h), unix.SIGKILL))
	c.Must(c.StartAgents(t.Context(), h))
	c.Must(c.AwaitReady(t.Context(), c.Hosts...))
	c.Must(c.AwaitAnswers(t.Context(), fleettest.Port, h))
	asked.More(20) // without the data plane there was no way to the host's task, and each waited for that
	asked.NoneFailed()
	c.SameLives(before, c.Hosts...)
}

// plane is the process of a host's one data plane.
func plane(c *fleettest.Cluster, h *lab.Host) (pid int) {
	c.T.Helper()
	c.Within(fleettest.Soon, "one data plane", func(context.Context) error {
		now := h.DataPlanePIDs()
		if len(now) != 1 {
			return fmt.Errorf("the data planes of %s are %d", h.Name, now)
		}
		pid = now[0]
		return nil
	})
	return pid
}

// held is a connection through a host's published port that stays open.
type held struct {
	net.Conn
	answers *bufio.Reader
}

func hold(c *fleettest.Cluster, h *lab.Host) *held {
	c.T.Helper()
	conn, err := (&net.Dialer{}).DialContext(c.T.Context(), "tcp", net.JoinHostPort(h.Addr, strconv.Itoa(fleettest.Port)))
	c.Must(err)
	c.T.Cleanup(func() { _ = conn.Close() })
	out := &held{Conn: conn, answers: bufio.NewReader(conn)}
	c.Must(out.ask())
	return out
}

// ask has one more answer.
func (h *held) ask() error {
	_ = h.SetDeadline(time.Now().Add(fleettest.Soon))
	if _, err := fmt.Fprint(h, "GET / HTTP/1.1\r\nHost: web\r\n\r\n"); err != nil {
		return err
	}
	answer, err := http.ReadResponse(h.answers, nil)
	if err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, answer.Body); err != nil || answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s, %w", answer.Status, err)
	}
	return answer.Body.Close()
}
