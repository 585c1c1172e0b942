package dns

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
	"go.uber.org/goleak"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/network"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of a test; it is no measure of speed.
const patience = 20 * time.Second

var (
	gateway = netip.MustParseAddr("127.0.77.1")
	task    = netip.MustParseAddr("127.0.77.2")
	other   = netip.MustParseAddr("127.0.88.1")
)

// zone has two networks of loopback addresses; this host, N, has a task in each.
func zone(tasks int) *network.Zone {
	shop, blog := cluster.NewNetworkID("shop", "default"), cluster.NewNetworkID("blog", "default")
	in := network.Input{
		Pool:  netip.MustParsePrefix("127.0.64.0/18"),
		Hosts: []network.Host{{Node: "N", Name: "n", Number: 1}},
		Networks: []cluster.Network{
			{ID: shop, Number: 1, Subnet: netip.MustParsePrefix("127.0.77.0/24")},
			{ID: blog, Number: 2, Subnet: netip.MustParsePrefix("127.0.88.0/24")},
		},
		Services: []network.Service{
			{ID: "blog/db", Links: []cluster.NetworkLink{{Network: blog}}},
			{ID: "shop/web", Links: []cluster.NetworkLink{{Network: shop}}, Ports: []network.Port{{Protocol: "tcp", Number: 80}}},
		},
		Tasks: []network.Task{{
			ID: "0B", Service: "blog/db", Node: "N", Ready: true,
			Addresses: []cluster.TaskAddress{{Network: blog, Address: netip.MustParseAddr("127.0.88.2")}},
		}},
	}
	address := task
	for i := range tasks {
		in.Tasks = append(in.Tasks, network.Task{
			ID: cluster.TaskID("0A" + string(rune('A'+i/26)) + string(rune('A'+i%26))), Service: "shop/web", Node: "N", Ready: true,
			Addresses: []cluster.TaskAddress{{Network: shop, Address: address}},
		})
		address = address.Next()
	}
	return network.ZoneOf(in, "N", false)
}

// upstream is a resolver that answers every question for A records with an address,
// or as the function says.
func upstream(t *testing.T, handle dns.HandlerFunc) netip.AddrPort {
	t.Helper()
	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := packets.LocalAddr().(*net.UDPAddr).AddrPort()
	listener, err := net.Listen("tcp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*dns.Server{{PacketConn: packets, Handler: handle}, {Listener: listener, Handler: handle}} {
		started, ended := make(chan struct{}), make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		go func() { defer close(ended); _ = s.ActivateAndServe() }()
		<-started
		t.Cleanup(func() { _ = s.Shutdown(); <-ended })
	}
	return at
}

func says(address string) dns.HandlerFunc {
	return func(w dns.ResponseWriter, m *dns.Msg) {
		out := new(dns.Msg)
		out.SetReply(m)
		out.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: m.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 300}, A: net.ParseIP(address)}}
		_ = w.WriteMsg(out)
	}
}

// serve has a server answer on the gateways, with a zone of three tasks, on a port
// that was free.
func serve(t *testing.T, cfg Config, tasks int, gateways ...netip.Addr) (*Server, uint16) {
	t.Helper()
	if cfg.Port == 0 {
		free, err := net.ListenPacket("udp", netip.AddrPortFrom(gateway, 0).String())
		if err != nil {
			t.Fatal(err)
		}
		cfg.Port = free.LocalAddr().(*net.UDPAddr).AddrPort().Port()
		_ = free.Close()
	}
	cfg.Logger = slog.New(slog.DiscardHandler)
	s := New(cfg)
	t.Cleanup(s.Close)
	s.Set(zone(tasks), gateways)
	return s, cfg.Port
}

// exchange asks from an address, again and again until there is an answer.
func exchange(t *testing.T, protocol string, from, at netip.Addr, port uint16, m *dns.Msg) *dns.Msg {
	t.Helper()
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		client := dns.Client{Net: protocol, Timeout: time.Second, Dialer: &net.Dialer{LocalAddr: local(protocol, from)}}
		var out *dns.Msg
		if out, _, err = client.Exchange(m, netip.AddrPortFrom(at, port).String()); err == nil {
			return out
		}
	}
	t.Fatalf("no answer to %v: %v", m.Question, err)
	return nil
}

func local(protocol string, from netip.Addr) net.Addr {
	if protocol == "tcp" {
		return net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))
	}
	return net.UDPAddrFromAddrPort(netip.AddrPortFrom(from, 0))
}

func ask(name string, rrtype uint16) *dns.Msg { return new(dns.Msg).SetQuestion(name, rrtype) }

// bareResponder answers without sockets and without upstreams.
func bareResponder(tasks int) *responder {
	var z atomic.Pointer[network.Zone]
	z.Store(zone(tasks))
	cfg := Config{Upstreams: func() []netip.AddrPort { return nil }}.withDefaults()
	return &responder{zone: &z, stats: &counters{}, forward: newForwarder(cfg, &z)}
}

func listenFails(err error) func(context.Context, netip.AddrPort) (net.PacketConn, error) {
	return func(context.Context, netip.AddrPort) (net.PacketConn, error) { return nil, err }
}
