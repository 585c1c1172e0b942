package virtual

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/musterhq/muster/agent"
	"github.com/musterhq/muster/agent/gossip/gossiptest"
	"github.com/musterhq/muster/agent/hoststats"
	"github.com/musterhq/muster/configs"
	"github.com/musterhq/muster/consensus"
	"github.com/musterhq/muster/integration/virtual/memnet"
	"github.com/musterhq/muster/runtime/fake"
)

const (
	socket = "/run/muster.sock"
	image  = "app:1"
	// startTakes is how long an engine takes to start a container.
	startTakes = 300 * time.Millisecond
)

// host is one machine: what outlives its agent, and the agent.
type host struct {
	r      *ring
	name   string
	ip     string
	dir    string // of data
	box    *memnet.Host
	engine *fake.Driver
	log    *consensus.Memory
	alive  bool
	// version and commands are those of the binary; 0: all commands.
	version  string
	commands int
	certLife time.Duration // 0: as usual

	agent *run // nil while none runs
}

// run is one agent's life.
type run struct {
	process *memnet.Process
	gossip  *gossiptest.Transport
	cancel  context.CancelFunc
	done    chan struct{}
	err     error // once done
	killed  bool
}

// add makes the i-th host, on which nothing runs.
func (r *ring) add(i int) *host {
	ip := fmt.Sprintf("10.0.0.%d", i)
	h := &host{
		r: r, name: fmt.Sprintf("n%d", i), ip: ip, dir: r.TempDir(),
		box: r.net.Host(ip), engine: fake.New(fake.Config{}), log: consensus.NewMemory(), alive: true, version: "test",
	}
	h.engine.AddImage(image)
	h.engine.Fail(fake.OpStart, fake.Fault{Delay: startTakes})
	r.hosts = append(r.hosts, h)
	return h
}

func (h *host) gossipAddr() string {
	return net.JoinHostPort(h.ip, fmt.Sprint(configs.DefaultGossipPort))
}

func (h *host) config() configs.Config {
	c := configs.Default()
	c.DataDir, c.Socket, c.Advertise, c.Name = h.dir, socket, h.ip, h.name
	return c
}

// start starts the host's agent, once the one before has let go of the data
// directory.
func (h *host) start() {
	h.r.Helper()
	if h.agent != nil {
		<-h.agent.done
	}
	ctx, cancel := context.WithCancel(context.Background())
	a := &run{process: h.box.Process(), gossip: h.r.gossip.Transport(h.gossipAddr()), cancel: cancel, done: make(chan struct{})}
	h.agent = a
	machine := agent.Host{
		Engine: h.engine, Stats: stats{}, Listen: a.process.Listen, Publish: a.process.Listen, Dial: a.process.Dial,
		Gossip: a.gossip, Log: h.log, Commands: h.commands, CertLife: h.certLife,
	}
	go func() {
		defer close(a.done)
		a.err = agent.RunOn(ctx, machine, h.config(), h.version, h.r.logger(h.name))
	}()
	h.r.until(10*time.Second, func() string {
		if _, err := get[map[string]any](h, "/v1/local"); err != nil {
			return fmt.Sprintf("the agent of %s does not come up: %v", h.name, err)
		}
		return ""
	})
}

// stop ends the agent as SIGTERM does; it must end without complaint.
func (h *host) stop() {
	a := h.agent
	if a == nil {
		return
	}
	a.cancel()
	<-a.done
	if a.err != nil && !a.killed {
		h.r.Errorf("the agent of %s ended with: %v", h.name, a.err)
	}
}

// killAgent ends the agent as SIGKILL does; the host lives on.
func (h *host) killAgent() {
	h.agent.killed = true
	h.agent.process.Kill()
	_ = h.agent.gossip.Shutdown()
	h.agent.cancel()
}

// kill is the sudden death of hosts, all at the same moment.
func kill(hosts ...*host) {
	for _, h := range hosts {
		h.alive = false
		h.agent.killed = true
		h.box.Kill()
		h.r.gossip.Kill(h.gossipAddr())
		h.agent.cancel()
	}
}

// boot brings killed hosts back, their containers stopped, their agents started.
func boot(hosts ...*host) {
	var starting sync.WaitGroup
	for _, h := range hosts {
		starting.Go(func() {
			<-h.agent.done
			h.engine.Reboot()
			h.box.Boot()
			h.alive = true
			h.start()
		})
	}
	starting.Wait()
}

// move gives the host another address and restarts its agent there.
func (h *host) move(ip string) {
	h.r.gossip.Kill(h.gossipAddr())
	h.stop()
	h.ip = ip
	h.box.Move(ip)
	h.start()
}

// stats is a machine of four cores and 8 GiB with little to do.
type stats struct{}

func (stats) Capacity(context.Context) (milliCPU, memBytes int64, err error) {
	return 4000, 8 << 30, nil
}

func (stats) Sample(context.Context) (hoststats.Usage, error) {
	return hoststats.Usage{CPUMilli: 100, MemoryUsed: 1 << 30}, nil
}
