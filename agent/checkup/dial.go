package checkup

import (
	"context"
	"errors"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// dialFor is how long the beginning of a connection may take: a lost packet is
// sent again after a second.
const dialFor = 2500 * time.Millisecond

// OK is the outcome of a way that works.
const OK = "ok"

// Dial opens a TCP connection and says how that went, and what size of packet
// the kernel takes the path for.
func Dial(ctx context.Context, address string) (outcome string, pathMTU int) {
	ctx, cancel := context.WithTimeout(ctx, dialFor)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return Outcome(err), 0
	}
	defer func() { _ = conn.Close() }()
	return OK, mtuOfPath(conn)
}

// Outcome is a failure in people's words.
func Outcome(err error) string {
	var timeout net.Error
	switch {
	case err == nil:
		return OK
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused: nothing listens there, or a firewall rejects it"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "no answer: a firewall drops it, or the host is off"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "no route to it"
	}
	return err.Error()
}

func mtuOfPath(conn net.Conn) int {
	raw, ok := conn.(syscall.Conn)
	if !ok {
		return 0
	}
	c, err := raw.SyscallConn()
	if err != nil {
		return 0
	}
	mtu := 0
	_ = c.Control(func(fd uintptr) {
		if info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			mtu = int(info.Pmtu)
		}
	})
	return mtu
}

// sampleFor is how long a sample port is open.
const sampleFor = 20 * time.Second

// Sample opens a port that the kernel picks from the range of published
// containers, for a while; whoever connects is let go at once. It is 0 where
// none could be opened.
func Sample(ctx context.Context) int {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", ":0")
	if err != nil {
		return 0
	}
	ctx, cancel := context.WithTimeout(ctx, sampleFor)
	context.AfterFunc(ctx, func() { _ = l.Close() })
	go func() { // ends when the listener is closed
		defer cancel()
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_ = conn.Close()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

// Taken are the ports that something else listens on.
func Taken(ports ...int) []int {
	var out []int
	for _, p := range ports {
		l, err := net.ListenTCP("tcp", &net.TCPAddr{Port: p})
		if errors.Is(err, syscall.EADDRINUSE) {
			out = append(out, p)
		}
		if err == nil {
			_ = l.Close()
		}
	}
	return out
}
