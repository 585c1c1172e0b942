//go:build linux

package fleet

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/musterhq/muster/integration/lab"
)

// Container is a container of a service, as the engine of its host has it.
type Container struct {
	lab.Container
	Host *lab.Host
}

// Slot is the service's slot that the container is for.
func (c Container) Slot() string { return c.Labels["muster.slot"] }

// Containers lists the running containers of a service (stack/service; all of
// Muster's for an empty name) on hosts. The engines are asked, at the same time;
// hosts without power have none.
func Containers(ctx context.Context, service string, hosts ...*lab.Host) ([]Container, error) {
	labels := []string{"muster.cluster"}
	if stack, name, ok := strings.Cut(service, "/"); ok {
		labels = append(labels, "muster.stack="+stack, "muster.service="+name)
	}
	found := make([][]lab.Container, len(hosts))
	g, ctx := errgroup.WithContext(ctx)
	for i, h := range hosts {
		if h.Up() {
			g.Go(func() (err error) {
				found[i], err = h.Containers(ctx, labels...)
				return err
			})
		}
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	var running []Container
	for i, h := range hosts {
		for _, c := range found[i] {
			if c.State == "running" {
				running = append(running, Container{Container: c, Host: h})
			}
		}
	}
	return running, nil
}

// AwaitRunning waits until exactly that many containers of the service run on
// hosts, each for a slot of its own, and returns them.
func AwaitRunning(ctx context.Context, service string, want int, hosts ...*lab.Host) (running []Container, err error) {
	err = Within(ctx, settleLimit, fmt.Sprintf("%d containers of %s", want, service), func(ctx context.Context) error {
		running, err = Containers(ctx, service, hosts...)
		if err != nil {
			return err
		}
		slots := make(map[string]bool)
		for _, c := range running {
			slots[c.Slot()] = true
		}
		if len(running) != want || len(slots) != want {
			return fmt.Errorf("%d run, for %d slots", len(running), len(slots))
		}
		return nil
	})
	return running, err
}

// Answer is one answer of the example service.
type Answer struct {
	Task, Node, Version string
	Client              string // whose the question is, as the service sees it
}

// Ask fetches the example service's page through a host's published port, from
// outside. No answer within the limit is an error.
func (f *Fleet) Ask(ctx context.Context, h *lab.Host, port int, limit time.Duration) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	status, body, err := f.Lab.Get(ctx, fmt.Sprintf("http://%s:%d/", h.Addr, port))
	if err != nil {
		return Answer{}, err
	}
	if status != http.StatusOK {
		return Answer{}, fmt.Errorf("%s answered %d", h.Name, status)
	}
	return answerOf(body), nil
}

// answerOf reads a line of the example service.
func answerOf(line string) (a Answer) {
	for field := range strings.FieldsSeq(line) {
		switch name, value, _ := strings.Cut(field, "="); name {
		case "task":
			a.Task = value
		case "node":
			a.Node = value
		case "version":
			a.Version = value
		case "client":
			a.Client = value
		}
	}
	return a
}

// AskUDP is Ask over UDP: one datagram, and one answer.
func (f *Fleet) AskUDP(ctx context.Context, h *lab.Host, port int, limit time.Duration) (Answer, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "udp", net.JoinHostPort(h.Addr, strconv.Itoa(port)))
	if err != nil {
		return Answer{}, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(limit)); err != nil {
		return Answer{}, err
	}
	if _, err := conn.Write([]byte("hello?")); err != nil {
		return Answer{}, err
	}
	buf := make([]byte, 1500)
	n, err := conn.Read(buf)
	return answerOf(string(buf[:n])), err
}

// AwaitAnswers waits until every one of hosts answers on the port.
func (f *Fleet) AwaitAnswers(ctx context.Context, port int, hosts ...*lab.Host) error {
	return Within(ctx, settleLimit, fmt.Sprintf("answers on port %d", port), func(ctx context.Context) error {
		for _, h := range hosts {
			if _, err := f.Ask(ctx, h, port, 2*time.Second); err != nil {
				return err
			}
		}
		return nil
	})
}
