package gossip

import (
	"bytes"
	"compress/lzw"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"runtime"
	"testing"
	"time"
)

// bomb is memberlist's message of a kind that it unpacks, of 256 MiB in little.
func bomb(t *testing.T) []byte {
	t.Helper()
	var packed bytes.Buffer
	w := lzw.NewWriter(&packed, lzw.LSB, 8)
	for range 256 {
		if _, err := w.Write(make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	// compressMsg, then {"Algo": 0, "Buf": packed} in msgpack.
	out := append([]byte{9, 0x82, 0xa4}, "Algo\x00\xa3Buf\xc6"...)
	out = binary.BigEndian.AppendUint32(out, uint32(packed.Len()))
	return append(out, packed.Bytes()...)
}

func inUse() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapInuse + m.StackInuse)
}

// What comes from somebody without the key costs little, on either protocol, and
// members find each other meanwhile.
func TestHostilePackets(t *testing.T) {
	start := func(i int) *Gossip {
		cfg := baseConfig(i)
		cfg.BindAddr, cfg.AdvertiseAddr = "127.0.0.1", "127.0.0.1"
		g, err := Start(cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = g.Close() })
		return g
	}
	a := start(0)
	addr := fmt.Sprintf("127.0.0.1:%d", a.Members()[0].Port)
	packed := bomb(t)
	announced := func(size uint32, sent int) []byte { // encryptMsg with its length
		return append(binary.BigEndian.AppendUint32([]byte{10}, size), make([]byte, sent)...)
	}
	bad := map[string][]byte{
		"nothing":             {},
		"garbage":             bytes.Repeat([]byte{0xff, 0, 7}, 10_000),
		"a label without end": append([]byte{244, 255}, "x"...),
		"half a message":      announced(1000, 10),
		"an empty message":    announced(0, 0),
		"too much":            announced(1<<31, 1<<20),
		"much":                announced(19<<20, 3<<20),
		"a packed message":    packed,
		"one in a compound":   append([]byte{7, 1, 0xff, 0xff}, packed[:min(len(packed), 1<<16)]...),
	}
	before, peak := inUse(), 0
	udp, err := net.Dial("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = udp.Close() }()
	conns := map[string][]net.Conn{}
	for what, data := range bad {
		for range 40 {
			_, _ = udp.Write(data[:min(len(data), 60_000)])
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			go func() { _, _ = conn.Write(data) }()
			conns[what] = append(conns[what], conn)
		}
		peak = max(peak, inUse())
	}
	b := start(1)
	if _, err := b.Join([]string{addr}); err != nil {
		t.Errorf("a member is not let in: %v", err)
	}
	if grown := max(peak, inUse()) - before; grown > 2*maxStreams*maxStreamBytes {
		t.Errorf("strangers hold %d MiB", grown>>20)
	}
	for what, list := range conns {
		for _, conn := range list {
			_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
			_, err := io.Copy(io.Discard, conn)
			if ne, ok := err.(net.Error); ok && ne.Timeout() { //nolint:errorlint // of the connection itself
				t.Errorf("%s: the connection is still open", what)
			}
		}
	}
	if n := len(alive(a)); n != 2 {
		t.Errorf("%d members", n)
	}
}

// The oldest of too many streams goes, and one is read to its limit.
func TestStreamsAreBounded(t *testing.T) {
	s := newStreams()
	var first net.Conn
	for i := range maxStreams + 1 {
		here, there := net.Pipe()
		defer func() { _ = here.Close() }()
		s.admit(there)
		if i == 0 {
			first = here
		}
	}
	if _, err := first.Read(make([]byte, 1)); err != io.EOF { //nolint:errorlint // a pipe's own
		t.Errorf("the oldest is still open: %v", err)
	}
	if n := len(s.open.All()); n != maxStreams {
		t.Errorf("%d are open", n)
	}
	here, there := net.Pipe()
	go func() {
		_, _ = here.Write(make([]byte, maxStreamBytes+1))
		_ = here.Close()
	}()
	conn := s.admit(there)
	n, err := io.Copy(io.Discard, conn)
	if n != maxStreamBytes || err == nil {
		t.Errorf("%d bytes were read: %v", n, err)
	}
	_ = conn.Close()
	if n := len(s.open.All()); n != maxStreams-1 {
		t.Errorf("%d are open after one was closed", n)
	}
}
