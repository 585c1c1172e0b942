package agent

import (
	"context"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/musterhq/muster/cluster/health"
)

// dialler is a member whose connections end as told.
func dialler(dial func(ctx context.Context, address string) (net.Conn, error)) prober {
	host := Host{Dial: func(ctx context.Context, _, address string) (net.Conn, error) { return dial(ctx, address) }}
	return prober{&member{a: &Agent{host: host}, known: &known{}}}
}

func failing(errno syscall.Errno) func(context.Context, string) (net.Conn, error) {
	return func(context.Context, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", errno)}
	}
}

func TestWhatADialProves(t *testing.T) {
	for _, tc := range []struct {
		name string
		dial func(context.Context, string) (net.Conn, error)
		want health.Outcome
	}{
		{"accepted", func(context.Context, string) (net.Conn, error) {
			here, there := net.Pipe()
			_ = there.Close()
			return here, nil
		}, health.Accepted},
		{"refused", failing(syscall.ECONNREFUSED), health.Refused},
		{"reset", failing(syscall.ECONNRESET), health.Refused},
		{"a router says that there is no such host", failing(syscall.EHOSTUNREACH), health.Silent},
		{"the kernel gave up", failing(syscall.ETIMEDOUT), health.Silent},
		{"nothing comes back", func(ctx context.Context, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}, health.Silent},
		// What this host lacks says nothing of the other one.
		{"no descriptors left here", failing(syscall.EMFILE), 0},
		{"none left on this machine", failing(syscall.ENFILE), 0},
		{"no memory here", failing(syscall.ENOBUFS), 0},
		{"no ports left here", failing(syscall.EADDRNOTAVAIL), 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begun := time.Now()
				if got := dialler(tc.dial).Dial(t.Context(), "10.0.0.2:7070", probeTimeout); got != tc.want {
					t.Errorf("%s, want %s", got, tc.want)
				}
				if took := time.Since(begun); took > probeTimeout {
					t.Errorf("it took %s", took)
				}
			})
		})
	}
}

// On a real network, too.
func TestDialOfARealHost(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := prober{&member{a: &Agent{}, known: &known{}}}
	address := l.Addr().String()
	if got := p.Dial(t.Context(), address, time.Second); got != health.Accepted {
		t.Errorf("a listener: %s", got)
	}
	_ = l.Close()
	if got := p.Dial(t.Context(), address, time.Second); got != health.Refused {
		t.Errorf("nobody listens: %s", got)
	}
}
