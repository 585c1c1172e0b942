package filter

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience bounds every wait of a test; it is no measure of speed.
const patience = 20 * time.Second

// listen answers every connection in the namespace with its name and the client's
// address, and then echoes.
func (s space) listen(t *testing.T, at, name string) {
	t.Helper()
	var ln net.Listener
	s.do(t, func() (err error) {
		ln, err = net.Listen("tcp4", at)
		return err
	})
	var wg sync.WaitGroup
	t.Cleanup(func() {
		ln.Close()
		wg.Wait()
	})
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				stop := make(chan struct{})
				defer close(stop)
				_, _ = io.WriteString(c, name+" "+hostOf(c.RemoteAddr())+"\n")
				_, _ = io.Copy(c, c)
			})
		}
	})
}

// listenUDP answers every datagram with the name.
func (s space) listenUDP(t *testing.T, at, name string) {
	t.Helper()
	var conn net.PacketConn
	s.do(t, func() (err error) {
		conn, err = net.ListenPacket("udp4", at)
		return err
	})
	var wg sync.WaitGroup
	t.Cleanup(func() {
		conn.Close()
		wg.Wait()
	})
	wg.Go(func() {
		buf := make([]byte, 2048)
		for {
			_, from, err := conn.ReadFrom(buf)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				_, _ = conn.WriteTo([]byte(name), from)
			}
		}
	})
}

func hostOf(a net.Addr) string { return netip.MustParseAddrPort(a.String()).Addr().Unmap().String() }

// dial opens a connection from the namespace.
func (s space) dial(network, to string, atMost time.Duration) (c net.Conn, err error) {
	err = s.try(func() (err error) {
		c, err = net.DialTimeout(network, to, atMost)
		return err
	})
	if err == nil {
		err = c.SetDeadline(time.Now().Add(patience))
	}
	return c, err
}

// ask says who answers there, and who the client is to it.
func (s space) ask(to string) (name, client string, err error) {
	c, err := s.dial("tcp4", to, patience)
	if err != nil {
		return "", "", err
	}
	defer c.Close()
	line, err := readLine(c)
	name, client, _ = strings.Cut(line, " ")
	return name, client, err
}

func readLine(c net.Conn) (string, error) {
	var line []byte
	for b := make([]byte, 1); ; {
		if _, err := c.Read(b); err != nil {
			return "", err
		}
		if b[0] == '\n' {
			return string(line), nil
		}
		line = append(line, b[0])
	}
}

// count asks n times and counts who answered.
func (s space) count(t *testing.T, to string, n int) map[string]int {
	t.Helper()
	out := map[string]int{}
	for range n {
		name, _, err := s.ask(to)
		must(t, err)
		out[name]++
	}
	return out
}

// silent reports that nothing comes back within a moment that is long for two
// namespaces of one machine.
func (s space) silent(to string) bool {
	c, err := s.dial("tcp4", to, time.Second)
	if err == nil {
		c.Close()
		return false
	}
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}
