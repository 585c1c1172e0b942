package agent

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// streams is an HTTP/2 client that does as it is told, frame by frame.
type streams struct {
	p      *port
	conn   net.Conn
	framer *http2.Framer
	next   uint32
}

// speakHTTP2 opens a connection whose answers get a window of so many bytes each.
func (p *port) speakHTTP2(window uint32) *streams {
	p.t.Helper()
	conn := p.secure("h2")
	s := &streams{p: p, conn: conn, framer: http2.NewFramer(conn, conn), next: 1}
	s.framer.AllowIllegalWrites = true
	_, err := io.WriteString(conn, http2.ClientPreface)
	s.must(err)
	s.must(s.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: window}))
	return s
}

func (s *streams) must(err error) {
	s.p.t.Helper()
	if err != nil {
		s.p.t.Fatal(err)
	}
}

// call begins a call; whole says that it has no body, ended that its headers end.
func (s *streams) call(method, path string, whole, ended bool) (id uint32) {
	s.p.t.Helper()
	id = s.next
	s.next += 2
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	for _, f := range [][2]string{{":method", method}, {":scheme", "https"}, {":authority", "x"}, {":path", path}} {
		s.must(enc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}))
	}
	// An error is of a connection that was given up already: see over.
	_ = s.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block.Bytes(), EndStream: whole, EndHeaders: ended})
	return id
}

// over reads until n streams have ended, or the connection has.
func (s *streams) over(what string, n int) {
	s.p.t.Helper()
	_ = s.conn.SetReadDeadline(time.Now().Add(time.Minute))
	for n > 0 {
		f, err := s.framer.ReadFrame()
		var ne net.Error
		switch f := f.(type) {
		case *http2.RSTStreamFrame:
			n--
		case *http2.HeadersFrame:
			if f.StreamEnded() {
				n--
			}
		case *http2.DataFrame:
			if f.StreamEnded() {
				n--
			}
		}
		if err != nil {
			if asNet(err, &ne) && ne.Timeout() {
				s.p.t.Errorf("%s: %d streams are still open", what, n)
			}
			return
		}
	}
}

// HTTP/2 lets one connection carry hundreds of calls, and leave each unfinished:
// what strangers leave so costs next to nothing, ends within seconds, and nobody
// else notices.
func TestHostileHTTP2(t *testing.T) { // not beside others that measure memory
	const conns, each = 16, 250
	for what, misbehave := range map[string]func(p *port) (ended func()){
		"answers that are not read": func(p *port) func() {
			s := p.speakHTTP2(0)
			for i := range each {
				s.call("GET", []string{"/healthz", "/nothing", "//healthz", "/v1/status"}[i%4], true, true)
			}
			return func() { s.over("answers that are not read", each) }
		},
		"bodies that do not come, or trickle": func(p *port) func() {
			s := p.speakHTTP2(1 << 16)
			var trickle uint32
			for range each {
				trickle = s.call("POST", "/v1/node/join", false, true)
			}
			go func() {
				pace := time.NewTicker(100 * time.Millisecond)
				defer pace.Stop()
				for s.framer.WriteData(trickle, false, []byte(" ")) == nil {
					<-pace.C
				}
			}()
			return func() { s.over("bodies that do not come, or trickle", each); _ = s.conn.Close() }
		},
		"headers without an end": func(p *port) func() {
			s := p.speakHTTP2(1 << 16)
			id := s.call("GET", "/healthz", true, false)
			go func() {
				// A literal field: its name, x, and a value of 262 bytes (RFC 7541, 6.2.2).
				piece := append([]byte{0x00, 0x01, 'x', 0x7f, 0x87, 0x01}, strings.Repeat("x", 262)...)
				for s.framer.WriteContinuation(id, false, piece) == nil {
				}
			}()
			return func() { s.over("headers without an end", 1<<30) }
		},
		"calls that are taken back": func(p *port) func() {
			s := p.speakHTTP2(1 << 16)
			for range 4 * each {
				id := s.call("POST", "/v1/node/join", false, true)
				if s.framer.WriteRSTStream(id, http2.ErrCodeCancel) != nil {
					break
				}
			}
			return func() { _ = s.conn.Close() }
		},
		"pings whose answers are not read": func(p *port) func() {
			s := p.speakHTTP2(0)
			go func() {
				for range 20_000 { // twice what net/http has wait for its writer
					if s.framer.WritePing(false, [8]byte{}) != nil {
						return
					}
				}
			}()
			return func() { _ = s.conn.Close() }
		},
	} {
		t.Run(what, func(t *testing.T) {
			p := openPort(t)
			before := held()
			var ends []func()
			for range conns {
				ends = append(ends, misbehave(p))
			}
			p.answers()
			grown := held() - before
			t.Logf("%d connections hold %d KiB", conns, grown>>10)
			if grown > 128<<20 {
				t.Errorf("%d connections hold %d MiB", conns, grown>>20)
			}
			for _, ended := range ends {
				ended()
			}
			p.answers()
		})
	}
}
