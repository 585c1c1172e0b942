package dns

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync/atomic"

	"github.com/miekg/dns"

	"github.com/musterhq/muster/network"
)

const (
	ttl = 1 // second: so long an answer may be behind
	// maxPacket is the most that goes into a datagram: it passes every tunnel in one
	// piece (DNS flag day 2020).
	maxPacket    = 1232
	headerLength = 12
)

// responder turns packets into answers.
type responder struct {
	zone    *atomic.Pointer[network.Zone]
	stats   *counters
	forward *forwarder
}

// origin is where a question comes from.
type origin struct {
	client, gateway netip.Addr
	stream          bool // over TCP
}

// question is one that is to be answered, with what its answer may be like.
type question struct {
	*dns.Msg
	limit int          // bytes of the answer
	opt   *dns.OPT     // nil: the client does not know EDNS
	ask   dns.Question // the only one
}

// answer is the packet to send back; nil: none. A question that others have to be
// asked comes back as foreign, and is for relay or fail.
func (r *responder) answer(packet []byte, from origin) (reply []byte, foreign *question) {
	if rcode, ok := check(packet); !ok {
		if rcode != dns.RcodeSuccess {
			r.stats.refused.Add(1)
			return bare(packet, rcode), nil
		}
		return nil, nil
	}
	m := new(dns.Msg)
	if err := m.Unpack(packet); err != nil || len(m.Question) != 1 {
		r.stats.refused.Add(1)
		return bare(packet, dns.RcodeFormatError), nil
	}
	q := newQuestion(m, from.stream)
	if rcode := q.refused(); rcode != dns.RcodeSuccess {
		r.stats.refused.Add(1)
		return q.pack(q.reply(rcode)), nil
	}
	if q.ask.Qtype == dns.TypeANY { // RFC 8482
		out := q.reply(dns.RcodeSuccess)
		out.Answer = []dns.RR{&dns.HINFO{Hdr: q.header(q.ask.Name, dns.TypeHINFO), Cpu: "RFC8482"}}
		r.stats.answered.Add(1)
		return q.pack(out), nil
	}
	found := r.zone.Load().Lookup(from.client, from.gateway, q.ask.Name)
	switch {
	case found.Kind != network.Foreign:
		r.stats.answered.Add(1)
		return q.pack(q.answered(found)), nil
	case !m.RecursionDesired:
		r.stats.refused.Add(1)
		return q.pack(q.reply(dns.RcodeRefused)), nil
	}
	return nil, q
}

// check looks at the header alone. An answer is never answered, so that two servers
// do not keep each other busy.
func check(packet []byte) (rcode int, ok bool) {
	if len(packet) < headerLength || packet[2]&0x80 != 0 {
		return dns.RcodeSuccess, false
	}
	count := func(at int) uint16 { return binary.BigEndian.Uint16(packet[at:]) }
	switch {
	case packet[2]>>3&0xf != dns.OpcodeQuery:
		return dns.RcodeNotImplemented, false
	case count(4) != 1 || count(6) != 0 || count(8) > 1 || count(10) > 2:
		return dns.RcodeFormatError, false
	}
	return dns.RcodeSuccess, true
}

// bare is an answer of a header alone, to what cannot be read.
func bare(packet []byte, rcode int) []byte {
	out := make([]byte, headerLength)
	copy(out, packet[:2])
	out[2] = 0x80 | packet[2]&0x79 // the operation and whether recursion is desired
	out[3] = byte(rcode & 0xf)
	return out
}

func newQuestion(m *dns.Msg, stream bool) *question {
	q := &question{Msg: m, limit: dns.MinMsgSize, opt: m.IsEdns0(), ask: m.Question[0]}
	if q.opt != nil {
		q.limit = min(max(int(q.opt.UDPSize()), dns.MinMsgSize), maxPacket)
	}
	if stream {
		q.limit = dns.MaxMsgSize
	}
	return q
}

// refused says why nobody gets an answer to that.
func (q *question) refused() int {
	switch {
	case q.opt != nil && q.opt.Version() != 0:
		return dns.RcodeBadVers
	case q.ask.Qclass != dns.ClassINET:
		return dns.RcodeRefused
	}
	switch q.ask.Qtype {
	case dns.TypeAXFR, dns.TypeIXFR, dns.TypeMAILA, dns.TypeMAILB, dns.TypeTSIG, dns.TypeTKEY, dns.TypeOPT:
		return dns.RcodeRefused
	}
	return dns.RcodeSuccess
}

// reply is an answer without records.
func (q *question) reply(rcode int) *dns.Msg {
	out := new(dns.Msg)
	out.SetReply(q.Msg)
	out.Rcode, out.RecursionAvailable = rcode, true
	if q.opt != nil {
		out.SetEdns0(maxPacket, false)
	}
	return out
}

// answered is what the zone knows. A name that is there has no records of other types
// than asked for: that is an answer as well, not "no such name", which a client would
// take for all types.
func (q *question) answered(found network.Answer) *dns.Msg {
	out := q.reply(dns.RcodeSuccess)
	out.Authoritative = true
	if found.Kind == network.Absent {
		out.Rcode = dns.RcodeNameError
		return out
	}
	switch q.ask.Qtype {
	case dns.TypeA:
		for _, a := range shuffled(found.Addresses, q.limit) {
			out.Answer = append(out.Answer, &dns.A{Hdr: q.header(q.ask.Name, dns.TypeA), A: a.AsSlice()})
		}
	case dns.TypeSRV:
		for _, t := range shuffled(found.Targets, q.limit) {
			name := t.Name + "."
			out.Answer = append(out.Answer, &dns.SRV{Hdr: q.header(q.ask.Name, dns.TypeSRV), Weight: 1, Port: t.Port, Target: name})
			out.Extra = append(out.Extra, &dns.A{Hdr: q.header(name, dns.TypeA), A: t.Address.AsSlice()})
		}
	case dns.TypePTR:
		if found.Name != "" {
			out.Answer = append(out.Answer, &dns.PTR{Hdr: q.header(q.ask.Name, dns.TypePTR), Ptr: found.Name + "."})
		}
	}
	return out
}

func (q *question) header(name string, rrtype uint16) dns.RR_Header {
	return dns.RR_Header{Name: name, Rrtype: rrtype, Class: dns.ClassINET, Ttl: ttl}
}

// shuffled is a copy in an order of chance: clients tend to take the first. It has no
// more than one record above what an answer of that size holds.
func shuffled[T any](all []T, limit int) []T {
	const recordLength = 16 // of an address, its name compressed; no other is shorter
	out := slices.Clone(all)
	rand.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out[:min(len(out), limit/recordLength+1)]
}

// pack makes the answer a packet that the client takes, cut to what fits.
func (q *question) pack(m *dns.Msg) []byte {
	m.Compress = true
	m.Truncate(q.limit)
	out, err := m.Pack()
	if err != nil {
		return nil // nothing that could be sent
	}
	return out
}

// relay asks the upstreams.
func (r *responder) relay(ctx context.Context, q *question) []byte {
	m := r.forward.exchange(ctx, q)
	if m == nil {
		return r.fail(q)
	}
	r.stats.forwarded.Add(1)
	return q.pack(m)
}

// fail is the answer where there can be no other.
func (r *responder) fail(q *question) []byte {
	r.stats.failed.Add(1)
	return q.pack(q.reply(dns.RcodeServerFailure))
}
