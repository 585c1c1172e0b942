package agent

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/health"
	"github.com/musterhq/muster/controller"
)

// One round of dialling a host.
const (
	probeTries   = 2
	probeTimeout = 500 * time.Millisecond
)

// prober tells a living host from a dead one by TCP connections. An accepted or
// refused one was answered by the host itself.
type prober struct{ m *member }

// Dial tries a member's API once. A host that refuses it has lost its agent;
// whether it has lost its containers as well is asked of them: one that refuses
// or ignores every task that should answer there runs nothing of ours, as if it
// were silent.
func (p prober) Dial(ctx context.Context, address string, timeout time.Duration) health.Outcome {
	o := p.dialOnce(ctx, address, timeout)
	if o != health.Refused {
		return o
	}
	if tasks := p.m.tasksAt(address); len(tasks) > 0 && !p.anyAccepts(ctx, tasks, timeout) {
		return health.Silent
	}
	return health.Refused
}

func (p prober) dialOnce(ctx context.Context, address string, timeout time.Duration) health.Outcome {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	conn, err := p.m.a.host.dial(ctx, "tcp", address)
	switch {
	case err == nil:
		_ = conn.Close()
		return health.Accepted
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ECONNRESET):
		return health.Refused
	case lacking(err):
		return 0
	}
	return health.Silent
}

// lacking reports whether a dial failed for want of something on this host,
// which says nothing of the other one.
func lacking(err error) bool {
	for _, e := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EADDRNOTAVAIL} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// anyAccepts dials all addresses at once.
func (p prober) anyAccepts(ctx context.Context, addresses []string, timeout time.Duration) bool {
	var accepted atomic.Bool
	var dials sync.WaitGroup
	for _, a := range addresses {
		dials.Go(func() {
			if p.dialOnce(ctx, a, timeout) == health.Accepted {
				accepted.Store(true)
			}
		})
	}
	dials.Wait()
	return accepted.Load()
}

// tasksAsked is how many tasks of a host are dialled at most.
const tasksAsked = 4

// tasksAt are the addresses of ready tasks on the host with the given API
// address, as far as they publish a port.
func (m *member) tasksAt(apiAddress string) []string {
	var out []string
	for _, e := range m.Table().Endpoints {
		at, ok := m.Address(e.Node)
		if ok && at == apiAddress && len(out) < tasksAsked {
			out = append(out, e.Address.String())
		}
	}
	return out
}

func (p prober) tries(ctx context.Context, address string, tries int) health.Outcome {
	return controller.Dial(ctx, p, address, tries, probeTimeout)
}

// Probe dials a member's host because a voter asks.
func (m *member) Probe(ctx context.Context, p api.Probe) api.ProbeResult {
	if m.uplink.foundSilent(p.Address) {
		return api.ProbeResult{Outcome: health.Silent.String(), At: time.Now()}
	}
	o := prober{m}.tries(ctx, p.Address, min(max(p.Tries, 1), probeTries))
	return api.ProbeResult{Outcome: o.String(), At: time.Now()}
}

// Ask has another node dial the host.
func (p prober) Ask(ctx context.Context, by cluster.NodeID, address string, tries int) (health.Outcome, error) {
	var out api.ProbeResult
	if err := p.m.peers.Call(ctx, by, "POST", "/v1/node/probe", api.Probe{Address: address, Tries: tries}, &out); err != nil {
		return 0, err
	}
	for _, o := range []health.Outcome{health.Silent, health.Refused, health.Accepted} {
		if o.String() == out.Outcome {
			return o, nil
		}
	}
	return 0, errors.New("the node answered an unknown outcome: " + out.Outcome)
}
