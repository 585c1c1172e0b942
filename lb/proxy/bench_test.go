package proxy

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"syscall"
	"testing"
)

// The benchmarks compare a proxied port with the same server reached directly.
// Client, proxy and server share the machine: only the ratios mean something.

func overBoth(b *testing.B, handle func(*net.TCPConn), run func(b *testing.B, addr string)) {
	addr := serve(b, handle)
	b.Run("direct", func(b *testing.B) { run(b, addr.String()) })
	b.Run("proxy", func(b *testing.B) {
		p, port := start(b, Config{}), freePort(b)
		p.Set(table(1, port, backend(1, addr)))
		dial(b, port).Close()
		run(b, netip.AddrPortFrom(addr.Addr(), port).String())
	})
}

// BenchmarkKeepAlive sends requests of 128 bytes over open connections.
func BenchmarkKeepAlive(b *testing.B) {
	overBoth(b, echo, func(b *testing.B, addr string) {
		b.RunParallel(func(pb *testing.PB) {
			c, err := net.Dial("tcp", addr)
			if err != nil {
				b.Error(err)
				return
			}
			defer c.Close()
			request, reply := make([]byte, 128), make([]byte, 128)
			for pb.Next() {
				if _, err := c.Write(request); err != nil {
					b.Error(err)
					return
				}
				if _, err := io.ReadFull(c, reply); err != nil {
					b.Error(err)
					return
				}
			}
		})
	})
}

// BenchmarkPerConnection opens a connection for every request; the server closes it.
func BenchmarkPerConnection(b *testing.B) {
	overBoth(b, say("hello"), func(b *testing.B, addr string) {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				c, err := net.Dial("tcp", addr)
				if errors.Is(err, syscall.EADDRNOTAVAIL) {
					b.Skip("the machine is out of local ports")
				}
				if err != nil {
					b.Error(err)
					return
				}
				_, err = io.Copy(io.Discard, c)
				c.Close()
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	})
}

// BenchmarkStream moves blocks of 64 KiB one way.
func BenchmarkStream(b *testing.B) {
	drain := func(c *net.TCPConn) { _, _ = io.Copy(io.Discard, c) }
	overBoth(b, drain, func(b *testing.B, addr string) {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close()
		block := make([]byte, 64<<10)
		b.SetBytes(int64(len(block)))
		for b.Loop() {
			if _, err := c.Write(block); err != nil {
				b.Fatal(err)
			}
		}
	})
}
