//go:build linux

package fleet

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/musterhq/muster/integration/lab"
)

// Fleet is a cluster of agents on hosts of a lab. The hosts are the lab's to
// start and to end.
type Fleet struct {
	Lab   *lab.Lab
	Hosts []*lab.Host
	// AgentArgs go to every agent. All hosts of one machine would offer all of
	// it, so the default declares what each one has.
	AgentArgs []string
	// Zones are the zones of hosts, by name: labels that their agents start with.
	Zones map[string]string
	// Agent is the binary that agents are started from; "": the lab's.
	Agent string
}

// Of makes a fleet of hosts that have no agents yet.
func Of(l *lab.Lab, hosts []*lab.Host) *Fleet {
	return &Fleet{Lab: l, Hosts: hosts, AgentArgs: []string{"--cpus", "2", "--memory", "2G"}}
}

// New boots hosts, gives them the example images and starts their agents, which
// are idle until Form.
func New(ctx context.Context, l *lab.Lab, hosts int) (*Fleet, error) {
	booted, err := l.StartHosts(ctx, hosts)
	if err != nil {
		return nil, err
	}
	f := Of(l, booted)
	if err := l.LoadHello(ctx, booted...); err != nil {
		return nil, err
	}
	return f, f.StartAgents(ctx, booted...)
}

// StartAgents starts the agents of hosts, all at once.
func (f *Fleet) StartAgents(ctx context.Context, hosts ...*lab.Host) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, h := range hosts {
		g.Go(func() error { return h.StartAgent(ctx, f.options(h)) })
	}
	return g.Wait()
}

func (f *Fleet) options(h *lab.Host) lab.AgentOptions {
	o := lab.AgentOptions{Binary: f.Agent, Args: slices.Clone(f.AgentArgs)}
	if zone := f.Zones[h.Name]; zone != "" {
		o.Args = append(o.Args, "--label", "zone="+zone)
	}
	return o
}

// Part is the fleet with those of its hosts alone.
func (f *Fleet) Part(hosts ...*lab.Host) *Fleet {
	part := *f
	part.Hosts = hosts
	return &part
}

// Form makes the cluster on the first host, joins the others, and returns when
// every node is ready and the voters are as many as they will be.
func (f *Fleet) Form(ctx context.Context) error {
	first := f.Hosts[0]
	if _, err := Run(ctx, first, "init"); err != nil {
		return err
	}
	token, err := f.Token(ctx)
	if err != nil {
		return err
	}
	for _, h := range f.Hosts[1:] {
		if _, err := Run(ctx, h, "join", first.Addr, "--token", token); err != nil {
			return err
		}
	}
	return f.AwaitReady(ctx, f.Hosts...)
}

// Token makes a join token on the first host that is up.
func (f *Fleet) Token(ctx context.Context, flags ...string) (string, error) {
	out, err := Run(ctx, f.Any(), append([]string{"token", "create", "-q"}, flags...)...)
	return strings.TrimSpace(out), err
}

// Any is the first host that has power and an agent, or the first of all.
func (f *Fleet) Any() *lab.Host {
	if up := f.Up(); len(up) > 0 {
		return up[0]
	}
	return f.Hosts[0]
}

// Up are the hosts that have power and an agent.
func (f *Fleet) Up() []*lab.Host {
	var up []*lab.Host
	for _, h := range f.Hosts {
		if h.Up() && h.AgentPID() != 0 {
			up = append(up, h)
		}
	}
	return up
}

// Others are all hosts but those.
func (f *Fleet) Others(hosts ...*lab.Host) []*lab.Host {
	var others []*lab.Host
next:
	for _, h := range f.Hosts {
		for _, not := range hosts {
			if h == not {
				continue next
			}
		}
		others = append(others, h)
	}
	return others
}

// Return boots a host that was killed, and starts its agent on the data that it
// left.
func (f *Fleet) Return(ctx context.Context, h *lab.Host) error {
	if err := h.Boot(ctx); err != nil {
		return err
	}
	return f.StartAgents(ctx, h)
}

// Run runs a command line on a host and makes any exit code but 0 an error.
func Run(ctx context.Context, h *lab.Host, args ...string) (stdout string, err error) {
	r := h.CLI(ctx, args...)
	if r.ExitCode != 0 {
		return r.Stdout, fmt.Errorf("muster %s on %s: exit code %d: %s", strings.Join(args, " "), h.Name, r.ExitCode,
			strings.TrimSpace(r.Stdout+r.Stderr))
	}
	return r.Stdout, nil
}
