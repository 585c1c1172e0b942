package dns

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"

	"github.com/musterhq/muster/network"
)

// maxUpstreams are asked for one name, as resolv.conf(5) says.
const maxUpstreams = 3

// forwarder asks the host's resolvers.
type forwarder struct {
	upstreams func() []netip.AddrPort
	timeout   time.Duration
	zone      *atomic.Pointer[network.Zone]
}

func newForwarder(cfg Config, zone *atomic.Pointer[network.Zone]) *forwarder {
	return &forwarder{upstreams: cfg.Upstreams, timeout: cfg.Timeout, zone: zone}
}

// exchange is the first answer of an upstream that is one; nil: none has any. An
// upstream that is an address of the cluster's own would be this server, or another
// like it, and is left out.
func (f *forwarder) exchange(ctx context.Context, q *question) *dns.Msg {
	asked := 0
	for _, at := range f.upstreams() {
		if f.zone.Load().Inside(at.Addr()) {
			continue
		}
		if asked++; asked > maxUpstreams || ctx.Err() != nil {
			break
		}
		query := f.query(q)
		reply, err := f.ask(ctx, "udp", at, query)
		if err == nil && reply.Truncated {
			reply, err = f.ask(ctx, "tcp", at, query)
		}
		if err == nil && answers(reply, query) {
			return passed(reply, q)
		}
	}
	return nil
}

// query is the question as an upstream gets it: with a number of its own, from a port
// of its own, so that nobody who does not see it can answer.
func (f *forwarder) query(q *question) *dns.Msg {
	m := new(dns.Msg)
	m.SetQuestion(q.ask.Name, q.ask.Qtype)
	m.CheckingDisabled, m.AuthenticatedData = q.CheckingDisabled, q.AuthenticatedData
	m.SetEdns0(maxPacket, q.opt != nil && q.opt.Do())
	return m
}

func (f *forwarder) ask(ctx context.Context, protocol string, at netip.AddrPort, query *dns.Msg) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, protocol, at.String())
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	client := dns.Client{Net: protocol, UDPSize: maxPacket, Timeout: f.timeout}
	reply, _, err := client.ExchangeWithConnContext(ctx, query, &dns.Conn{Conn: conn})
	return reply, err
}

// answers reports whether the reply is one to the query, and no failure that another
// upstream may not have.
func answers(reply, query *dns.Msg) bool {
	if !reply.Response || len(reply.Question) != 1 {
		return false
	}
	a, b := reply.Question[0], query.Question[0]
	if a.Qtype != b.Qtype || a.Qclass != b.Qclass || !strings.EqualFold(a.Name, b.Name) {
		return false
	}
	return reply.Rcode != dns.RcodeServerFailure && reply.Rcode != dns.RcodeRefused && reply.Rcode != dns.RcodeNotImplemented
}

// passed is an upstream's reply as the answer to the client's question.
func passed(reply *dns.Msg, q *question) *dns.Msg {
	out := q.reply(reply.Rcode)
	out.AuthenticatedData = reply.AuthenticatedData
	out.Answer, out.Ns = reply.Answer, reply.Ns
	for _, rr := range reply.Extra {
		if rr.Header().Rrtype != dns.TypeOPT {
			out.Extra = append(out.Extra, rr)
		}
	}
	if out.Rcode > 0xf && q.opt == nil { // an extended one has no place without EDNS
		out.Rcode = dns.RcodeServerFailure
	}
	return out
}
