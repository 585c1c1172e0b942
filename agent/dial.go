package agent

import (
	"context"
	"errors"
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

// hostDialer tells a living host from a silent one by one TCP connection: an
// accepted or refused one was answered by the host itself.
type hostDialer struct{ host Host }

// Dial tries address once.
func (d hostDialer) Dial(ctx context.Context, address string, timeout time.Duration) health.Outcome {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	conn, err := d.host.dial(ctx, "tcp", address)
	switch {
	case err == nil:
		_ = conn.Close()
		return health.Accepted
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ECONNRESET):
		return health.Refused
	}
	return health.Silent
}

func (d hostDialer) tries(ctx context.Context, address string, tries int) health.Outcome {
	return controller.Dial(ctx, d, address, tries, probeTimeout)
}

// Probe dials a member's host because a voter asks.
func (m *member) Probe(ctx context.Context, p api.Probe) api.ProbeResult {
	if m.uplink.foundSilent(p.Address) {
		return api.ProbeResult{Outcome: health.Silent.String(), At: time.Now()}
	}
	o := hostDialer{m.a.host}.tries(ctx, p.Address, min(max(p.Tries, 1), probeTries))
	return api.ProbeResult{Outcome: o.String(), At: time.Now()}
}

// prober is the leader's way to dial hosts.
type prober struct {
	hostDialer
	m *member
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
