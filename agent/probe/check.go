package probe

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"time"
)

// mostRead is how much of an answer is read, in bytes.
const mostRead = 64 << 10

// check is one kind of check of one target.
type check interface {
	// name says in people's words what is done.
	name() string
	// do makes the check once: nil if it passed. It honours ctx.
	do(ctx context.Context) error
}

func newCheck(engine Engine, t Target) check {
	switch p := t.Probe; {
	case p.HTTP != nil:
		return &httpCheck{at: netip.AddrPortFrom(t.Address, p.HTTP.Port), spec: *p.HTTP}
	case p.GRPC != nil:
		return &grpcCheck{at: netip.AddrPortFrom(t.Address, p.GRPC.Port), spec: *p.GRPC}
	case p.TCP != nil:
		return &tcpCheck{at: netip.AddrPortFrom(t.Address, p.TCP.Port)}
	}
	return &execCheck{engine: engine, container: t.Container, command: t.Probe.Exec}
}

// errNoAddress fails the checks of a task whose address is not known yet.
var errNoAddress = errors.New("the engine has not said the container's address")

// dial connects to the task itself: an address, so that no name is looked up.
func dial(ctx context.Context, at netip.AddrPort) (net.Conn, error) {
	if !at.Addr().IsValid() {
		return nil, errNoAddress
	}
	d := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: false}, KeepAlive: -time.Second}
	conn, err := d.DialContext(ctx, "tcp", at.String())
	var op *net.OpError
	if errors.As(err, &op) {
		return nil, op.Err // the address is in the check's name
	}
	return conn, err
}

// tcpCheck passes where a connection is taken.
type tcpCheck struct{ at netip.AddrPort }

func (c *tcpCheck) name() string { return "connect to " + c.at.String() }

func (c *tcpCheck) do(ctx context.Context) error {
	conn, err := dial(ctx, c.at)
	if err != nil {
		return err
	}
	return conn.Close()
}

// short is a text in one line of at most 200 bytes.
func short(text string) string {
	const most = 200
	text = strings.ToValidUTF8(strings.Join(strings.Fields(text), " "), "?")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "..."
	}
	return text
}
