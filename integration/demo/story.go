//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/musterhq/muster/integration/fleet"
	"github.com/musterhq/muster/integration/lab"
)

const (
	hosts   = 3
	service = "hello/web"
	port    = 8080 // published by the example
	tasks   = 6    // of the example
	example = "configs/examples/hello.yaml"

	shopFile = "configs/examples/shop.yaml"
	shopPort = 8090
)

const intro = `Three Docker hosts on this machine, each with its own network, processes and
engine; one Muster cluster over them; one service with six containers, and a
stack of four services that find each other by name.`

// show is the whole demonstration.
func show(ctx context.Context) error {
	fmt.Printf("%s\nThen the host that leads loses power. About a minute; nothing stays behind.\n", intro)
	if err := refuseSecond(); err != nil {
		return err
	}
	s, err := begin(ctx)
	if err != nil {
		return whole(ctx, err, nil)
	}
	err = s.act(ctx)
	s.title("Take everything down.")
	return whole(ctx, err, s.fleet.Lab.Close())
}

// errInterrupted is the end that Ctrl-C asks for; everything is down.
var errInterrupted = errors.New("interrupted; nothing is left of the demo")

// whole is how a demo ended: what an interruption broke is no news, what could
// not be taken down is.
func whole(ctx context.Context, err, closing error) error {
	if ctx.Err() != nil {
		err = errInterrupted
	}
	if closing != nil {
		return errors.Join(err, fmt.Errorf("take the demo down: %w; `make demo-down` tries again", closing))
	}
	return err
}

// story is a demonstration under way.
type story struct {
	fleet  *fleet.Fleet
	root   string // the module's directory
	binary string
	step   int
}

// begin builds what is needed and makes an empty lab, which the caller closes.
func begin(ctx context.Context) (*story, error) {
	root, err := fleet.Root(ctx)
	if err != nil {
		return nil, err
	}
	s := &story{root: root, binary: filepath.Join(root, "bin", "muster")}
	s.title("Build bin/muster.")
	if err := fleet.Build(ctx, s.binary); err != nil {
		return nil, err
	}
	l, err := lab.New(ctx, lab.Options{Name: "demo", Binary: s.binary, Log: notice{}})
	if err != nil {
		return nil, err
	}
	s.fleet = fleet.Of(l, nil)
	return s, nil
}

// notice passes on what a user must know of the lab: that it waits for another.
type notice struct{}

func (notice) Write(line []byte) (int, error) {
	if bytes.HasPrefix(line, []byte("another lab")) {
		fmt.Printf("   (%s)\n", bytes.TrimSpace(line))
	}
	return len(line), nil
}

func (s *story) act(ctx context.Context) error {
	if err := s.deploy(ctx); err != nil {
		return err
	}
	return s.outage(ctx)
}

// deploy goes from nothing to a service that answers on every host.
func (s *story) deploy(ctx context.Context) error {
	for _, step := range []func(context.Context) error{s.boot, s.form, s.spread, s.run, s.curl, s.shop} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *story) boot(ctx context.Context) error {
	s.title("Start three Docker hosts, and the agent on each.")
	booted, err := s.fleet.Lab.StartHosts(ctx, hosts)
	if err != nil {
		return err
	}
	s.fleet.Hosts = booted
	for _, h := range booted {
		s.say("%s has the address %s", h.Name, h.Addr)
	}
	return s.fleet.StartAgents(ctx, booted...)
}

func (s *story) form(ctx context.Context) error {
	s.title("Make a cluster of them.")
	first := s.fleet.Hosts[0]
	if err := s.muster(ctx, first, false, "init"); err != nil {
		return err
	}
	token, err := s.fleet.Token(ctx)
	if err != nil {
		return err
	}
	for _, h := range s.fleet.Hosts[1:] {
		s.say("%s$ muster join %s --token %.14s...", h.Name, first.Addr, token)
		if _, err := fleet.Run(ctx, h, "join", first.Addr, "--token", token); err != nil {
			return err
		}
	}
	if err := s.fleet.AwaitReady(ctx, s.fleet.Hosts...); err != nil {
		return err
	}
	return s.muster(ctx, first, true, "node", "ls")
}

func (s *story) spread(ctx context.Context) error {
	s.title("Give the example's image to one host, and let the cluster spread it.")
	first := s.fleet.Hosts[0]
	if err := s.fleet.Lab.LoadHello(ctx, first); err != nil {
		return err
	}
	return s.muster(ctx, first, true, "image", "push", lab.Hello)
}

func (s *story) run(ctx context.Context) error {
	s.title("Deploy a Compose file.")
	last := s.fleet.Hosts[hosts-1]
	if err := s.muster(ctx, last, false, "deploy", "-f", filepath.Join(s.root, example)); err != nil {
		return err
	}
	return s.muster(ctx, last, true, "ps")
}

func (s *story) curl(ctx context.Context) error {
	s.title("Every host answers on the published port, whoever runs the container.")
	if err := s.fleet.AwaitAnswers(ctx, port, s.fleet.Hosts...); err != nil {
		return err
	}
	for _, h := range s.fleet.Hosts {
		a, err := s.fleet.Ask(ctx, h, port, 2*time.Second)
		if err != nil {
			return err
		}
		s.say("$ curl http://%s:%d/    # %s: answered by a container on %s", h.Addr, port, h.Name, a.Node)
	}
	return nil
}

// shop deploys a stack whose services find each other by name across the hosts,
// and orders something through each of them.
func (s *story) shop(ctx context.Context) error {
	s.title("Deploy four services that find each other by name, wherever they run.")
	first := s.fleet.Hosts[0]
	if err := s.fleet.Lab.LoadShop(ctx, s.fleet.Hosts...); err != nil {
		return err
	}
	if err := s.muster(ctx, first, false, "deploy", "-f", filepath.Join(s.root, shopFile)); err != nil {
		return err
	}
	if err := s.muster(ctx, first, true, "ps", "orders"); err != nil {
		return err
	}
	for _, h := range s.fleet.Hosts {
		url := fmt.Sprintf("http://%s:%d/", h.Addr, shopPort)
		page, err := order(ctx, url)
		if err != nil {
			return err
		}
		s.say("$ curl -d '' %s    # %s", url, page)
	}
	return nil
}

// order has the example stack take an order, and returns its page.
func order(ctx context.Context, url string) (page string, err error) {
	err = fleet.Within(ctx, time.Minute, "an order through "+url, func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, nil)
		if err != nil {
			return err
		}
		answer, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(io.LimitReader(answer.Body, 1<<12))
		if err == nil && answer.StatusCode != http.StatusOK {
			err = fmt.Errorf("%s: %s", answer.Status, body)
		}
		page = strings.TrimSpace(string(body))
		return err
	})
	return page, err
}

// muster runs a command line as a user of the host would, and shows it and, if
// asked to, what it prints.
func (s *story) muster(ctx context.Context, h *lab.Host, output bool, args ...string) error {
	shown := strings.ReplaceAll(strings.Join(args, " "), s.root+string(os.PathSeparator), "")
	s.say("%s$ muster %s", h.Name, shown)
	out, err := fleet.Run(ctx, h, args...)
	if err != nil {
		return err
	}
	if output {
		for line := range strings.Lines(out) {
			s.say("  %s", strings.TrimRight(line, "\n"))
		}
	}
	return nil
}

func (s *story) title(text string) {
	s.step++
	fmt.Printf("\n%d. %s\n", s.step, text)
}

func (s *story) say(format string, args ...any) { fmt.Printf("   "+format+"\n", args...) }
