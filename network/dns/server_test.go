package dns

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/musterhq/muster/network"
)

func TestServerAnswersOnEveryGateway(t *testing.T) {
	_, port := serve(t, Config{Upstreams: func() []netip.AddrPort { return nil }}, 3, gateway, other)
	for _, protocol := range []string{"udp", "tcp"} {
		if m := exchange(t, protocol, task, gateway, port, ask("web.", dns.TypeA)); len(m.Answer) != 3 {
			t.Errorf("%s: got %v", protocol, m)
		}
		// Who is no task sees the names of the network that was asked.
		if m := exchange(t, protocol, other, other, port, ask("db.", dns.TypeA)); len(m.Answer) != 1 {
			t.Errorf("%s at the other gateway: got %v", protocol, m)
		}
		if m := exchange(t, protocol, other, other, port, ask("web.shop.", dns.TypeA)); m.Rcode != dns.RcodeNameError {
			t.Errorf("%s at the other gateway: got %v", protocol, m)
		}
	}
}

func TestServerFollowsItsGateways(t *testing.T) {
	s, port := serve(t, Config{}, 1, gateway)
	exchange(t, "udp", task, gateway, port, ask("web.", dns.TypeA))
	s.Set(zone(1), []netip.Addr{other})
	exchange(t, "udp", other, other, port, ask("db.", dns.TypeA))
	for deadline := time.Now().Add(patience); ; {
		conn, err := net.Dial("tcp", netip.AddrPortFrom(gateway, port).String())
		if err != nil {
			break
		}
		_ = conn.Close()
		if time.Now().After(deadline) {
			t.Fatal("the gateway that went still answers")
		}
	}
}

// TestServerListensBeforeTheAddressIsThere takes an address of a documentation range
// (RFC 5737), which no host has.
func TestServerListensBeforeTheAddressIsThere(t *testing.T) {
	at := netip.MustParseAddrPort("192.0.2.77:0")
	packets, err := listenPacket(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	_ = packets.Close()
	streams, err := listen(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	_ = streams.Close()
}

func TestStrangersGetNothing(t *testing.T) {
	stranger := netip.MustParseAddr("127.0.0.9")
	s, port := serve(t, Config{OwnAddress: func(netip.Addr) bool { return false }}, 1, gateway)
	exchange(t, "udp", task, gateway, port, ask("web.", dns.TypeA))
	if !s.welcome(stranger) || s.welcome(netip.MustParseAddr("192.0.2.1")) || !s.welcome(netip.MustParseAddr("127.0.64.9")) {
		t.Error("this host, a stranger and a container are taken for something else")
	}
}

func TestForeignNamesAreAskedOfUpstreams(t *testing.T) {
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	asked := make(chan string, 100)
	good := upstream(t, func(w dns.ResponseWriter, m *dns.Msg) {
		asked <- m.Question[0].Name
		says("192.0.2.7")(w, m)
	})
	refusing := upstream(t, func(w dns.ResponseWriter, m *dns.Msg) { _ = w.WriteMsg(new(dns.Msg).SetRcode(m, dns.RcodeRefused)) })
	upstreams := []netip.AddrPort{netip.AddrPortFrom(gateway, 53), silent.LocalAddr().(*net.UDPAddr).AddrPort(), refusing, good}
	s, port := serve(t, Config{Timeout: 50 * time.Millisecond, Upstreams: func() []netip.AddrPort { return upstreams }}, 1, gateway)
	for _, name := range []string{"wbe.", "db.blog.", "tasks.db.blog.", "2.88.0.127.in-addr.arpa."} {
		exchange(t, "udp", task, gateway, port, ask(name, dns.TypeA))
	}
	q := ask("Example.com.", dns.TypeA)
	m := exchange(t, "udp", task, gateway, port, q)
	if len(m.Answer) != 1 || m.Answer[0].Header().Ttl != 300 || m.Question[0].Name != "Example.com." {
		t.Errorf("got %v", m)
	}
	if name, others := <-asked, len(asked); name != "Example.com." || others != 0 {
		t.Errorf("upstreams were asked for %q and %d others", name, others)
	}
	if st := s.Stats(); st.Forwarded != 1 || st.Queries != st.Answered+1 {
		t.Errorf("counted %+v", st)
	}
}

func TestLargeForeignAnswersComeOverTCP(t *testing.T) {
	at := upstream(t, func(w dns.ResponseWriter, m *dns.Msg) {
		out := new(dns.Msg).SetReply(m)
		if _, udp := w.RemoteAddr().(*net.UDPAddr); udp {
			out.Truncated = true
		} else {
			for i := range 100 {
				out.Answer = append(out.Answer, &dns.A{Hdr: dns.RR_Header{Name: m.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60}, A: net.IPv4(192, 0, 2, byte(i))})
			}
		}
		_ = w.WriteMsg(out)
	})
	_, port := serve(t, Config{Upstreams: func() []netip.AddrPort { return []netip.AddrPort{at} }}, 1, gateway)
	if m := exchange(t, "tcp", task, gateway, port, ask("example.com.", dns.TypeA)); len(m.Answer) != 100 {
		t.Errorf("over TCP: got %d answers", len(m.Answer))
	}
	if m := exchange(t, "udp", task, gateway, port, ask("example.com.", dns.TypeA)); !m.Truncated {
		t.Errorf("over UDP: got %v", m)
	}
}

func TestUpstreamThatAnswersSomethingElse(t *testing.T) {
	at := upstream(t, func(w dns.ResponseWriter, m *dns.Msg) {
		m.Question[0].Name = "else.example."
		says("192.0.2.66")(w, m)
	})
	_, port := serve(t, Config{Timeout: 100 * time.Millisecond, Upstreams: func() []netip.AddrPort { return []netip.AddrPort{at} }}, 1, gateway)
	if m := exchange(t, "udp", task, gateway, port, ask("example.com.", dns.TypeA)); m.Rcode != dns.RcodeServerFailure {
		t.Errorf("got %v", m)
	}
}

// TestCloseDoesNotWaitForUpstreams closes while a question is asked of an upstream
// that never answers.
func TestCloseDoesNotWaitForUpstreams(t *testing.T) {
	got := make(chan struct{}, 16)
	at := upstream(t, func(dns.ResponseWriter, *dns.Msg) { got <- struct{}{} })
	s, port := serve(t, Config{Timeout: time.Hour, Upstreams: func() []netip.AddrPort { return []netip.AddrPort{at} }}, 1, gateway)
	exchange(t, "udp", task, gateway, port, ask("web.", dns.TypeA))
	conn, err := net.Dial("udp", netip.AddrPortFrom(gateway, port).String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.Write(packed(t, ask("example.com.", dns.TypeA))); err != nil {
		t.Fatal(err)
	}
	<-got
	s.Close()
}

func TestPortThatIsTakenIsAProblemOnlyIfItLasts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Config{ListenPacket: listenFails(fmt.Errorf("listen udp: %w", syscall.EADDRINUSE))})
		defer s.Close()
		s.Set(zone(1), []netip.Addr{gateway})
		time.Sleep(4 * time.Second)
		if got := s.Problems(); len(got) != 0 {
			t.Errorf("already %q", got)
		}
		time.Sleep(4 * time.Second)
		if got := s.Problems(); len(got) != 1 || !strings.Contains(got[0], "127.0.77.1") || !strings.Contains(got[0], "stop the program that listens on port 53") {
			t.Errorf("got %q", got)
		}
		s.Set(&network.Zone{}, nil)
		synctest.Wait()
		if got := s.Problems(); len(got) != 0 {
			t.Errorf("of a gateway that went: %q", got)
		}
	})
}

func TestResolversAreReadAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "resolv.conf")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	r := &resolvConf{path: path}
	expect := func(want ...string) {
		t.Helper()
		r.looked = time.Time{} // as if a second had passed
		var got []string
		for _, a := range r.servers() {
			got = append(got, a.String())
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	expect("127.0.0.1:53")
	write("search example.com\nnameserver 127.0.0.53\n")
	expect("127.0.0.53:53")
	write("nameserver 192.0.2.1\nnameserver fe80::1%eth0\n# nameserver 192.0.2.9\nnameserver nonsense\n")
	expect("192.0.2.1:53", "[fe80::1%eth0]:53")
	write("options ndots:1\n")
	expect("127.0.0.1:53")
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	expect("127.0.0.1:53")
}
