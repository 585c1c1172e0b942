package dns

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// reply is the responder's answer to a packet that the task sends.
func reply(t *testing.T, r *responder, packet []byte, stream bool) *dns.Msg {
	t.Helper()
	out, foreign := r.answer(packet, origin{client: task, gateway: gateway, stream: stream})
	if foreign != nil {
		out = r.fail(foreign)
	}
	if out == nil {
		return nil
	}
	m := new(dns.Msg)
	if err := m.Unpack(out); err != nil {
		t.Fatalf("the answer %x: %v", out, err)
	}
	return m
}

func packed(t *testing.T, m *dns.Msg) []byte {
	t.Helper()
	out, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestAnswers(t *testing.T) {
	tests := map[string]struct {
		ask         *dns.Msg
		change      func(*dns.Msg)
		rcode       int
		answers     int
		extra       int
		notOfficial bool
	}{
		"A":                       {ask: ask("web.", dns.TypeA), answers: 3},
		"upper case":              {ask: ask("WeB.shop.", dns.TypeA), answers: 3},
		"AAAA of a name with A":   {ask: ask("web.", dns.TypeAAAA)},
		"TXT of a name with A":    {ask: ask("web.", dns.TypeTXT)},
		"no such name":            {ask: ask("wbe.", dns.TypeA), rcode: dns.RcodeNameError},
		"AAAA of no such name":    {ask: ask("wbe.", dns.TypeAAAA), rcode: dns.RcodeNameError},
		"another network's":       {ask: ask("db.blog.", dns.TypeA), rcode: dns.RcodeNameError},
		"SRV":                     {ask: ask("_80._tcp.web.", dns.TypeSRV), answers: 3, extra: 3},
		"PTR":                     {ask: ask("2.77.0.127.in-addr.arpa.", dns.TypePTR), answers: 1},
		"PTR of another network":  {ask: ask("2.88.0.127.in-addr.arpa.", dns.TypePTR), rcode: dns.RcodeNameError},
		"ANY":                     {ask: ask("web.", dns.TypeANY), answers: 1, notOfficial: true},
		"AXFR":                    {ask: ask("shop.", dns.TypeAXFR), rcode: dns.RcodeRefused, notOfficial: true},
		"IXFR":                    {ask: new(dns.Msg).SetIxfr("shop.", 1, "a.", "b."), rcode: dns.RcodeRefused, notOfficial: true},
		"CHAOS":                   {ask: ask("version.bind.", dns.TypeTXT), change: func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS }, rcode: dns.RcodeRefused, notOfficial: true},
		"an update":               {ask: new(dns.Msg).SetUpdate("shop."), rcode: dns.RcodeNotImplemented, notOfficial: true},
		"two questions":           {ask: ask("web.", dns.TypeA), change: func(m *dns.Msg) { m.Question = append(m.Question, m.Question[0]) }, rcode: dns.RcodeFormatError, notOfficial: true},
		"no question":             {ask: new(dns.Msg), rcode: dns.RcodeFormatError, notOfficial: true},
		"a later EDNS":            {ask: ask("web.", dns.TypeA), change: func(m *dns.Msg) { m.SetEdns0(1232, false); m.IsEdns0().SetVersion(1) }, rcode: dns.RcodeBadVers, extra: 1, notOfficial: true},
		"foreign, no upstream":    {ask: ask("example.com.", dns.TypeA), rcode: dns.RcodeServerFailure, notOfficial: true},
		"foreign, not to recurse": {ask: ask("example.com.", dns.TypeA), change: func(m *dns.Msg) { m.RecursionDesired = false }, rcode: dns.RcodeRefused, notOfficial: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if tt.change != nil {
				tt.change(tt.ask)
			}
			m := reply(t, bareResponder(3), packed(t, tt.ask), false)
			if m.Rcode != tt.rcode || len(m.Answer) != tt.answers || len(m.Extra) != tt.extra || m.Authoritative == tt.notOfficial || m.Id != tt.ask.Id || !m.Response {
				t.Errorf("got %v", m)
			}
			for _, rr := range m.Answer {
				if rr.Header().Ttl != 1 {
					t.Errorf("TTL of %v", rr)
				}
			}
		})
	}
}

func TestNothingIsAnsweredToWhatIsNoQuestion(t *testing.T) {
	response := ask("web.", dns.TypeA)
	response.Response = true
	for name, packet := range map[string][]byte{"empty": {}, "eleven bytes": make([]byte, 11), "an answer": packed(t, response)} {
		if m := reply(t, bareResponder(1), packet, false); m != nil {
			t.Errorf("%s: got %v", name, m)
		}
	}
}

// TestNameThatIsTooLong asks for a name of 256 bytes on the wire (RFC 1035, 2.3.4).
func TestNameThatIsTooLong(t *testing.T) {
	label := "3f" + strings.Repeat("61", 63)
	packet, err := hex.DecodeString("000101000001000000000000" + strings.Repeat(label, 4) + "00" + "00010001")
	if err != nil {
		t.Fatal(err)
	}
	if m := reply(t, bareResponder(1), packet, false); m == nil || m.Rcode != dns.RcodeFormatError {
		t.Errorf("got %v", m)
	}
}

func TestAnswersAreCutToWhatTheClientTakes(t *testing.T) {
	tests := map[string]struct {
		edns   uint16
		stream bool
		limit  int
		cut    bool
	}{
		"without EDNS":      {limit: 512, cut: true},
		"with EDNS":         {edns: 800, limit: 800, cut: true},
		"with a large EDNS": {edns: 65535, limit: maxPacket, cut: true},
		"less than allowed": {edns: 100, limit: 512, cut: true},
		"over TCP":          {stream: true, limit: 65535},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			q := ask("web.", dns.TypeA)
			if tt.edns > 0 {
				q.SetEdns0(tt.edns, false)
			}
			out, _ := bareResponder(200).answer(packed(t, q), origin{client: task, gateway: gateway, stream: tt.stream})
			m := new(dns.Msg)
			if err := m.Unpack(out); err != nil {
				t.Fatal(err)
			}
			if len(out) > tt.limit || m.Truncated != tt.cut || len(m.Answer) == 0 || !tt.cut && len(m.Answer) != 200 {
				t.Errorf("%d bytes, %d answers, cut %v", len(out), len(m.Answer), m.Truncated)
			}
		})
	}
}

// TestEveryTaskComesFirst asks until every task was the first of an answer.
func TestEveryTaskComesFirst(t *testing.T) {
	r, first := bareResponder(3), map[string]bool{}
	for range 1000 {
		first[reply(t, r, packed(t, ask("web.", dns.TypeA)), false).Answer[0].(*dns.A).A.String()] = true
	}
	if len(first) != 3 {
		t.Errorf("first were %v", first)
	}
}

func FuzzPacket(f *testing.F) {
	for _, m := range []*dns.Msg{
		ask("web.", dns.TypeA), ask("_80._tcp.web.shop.", dns.TypeSRV), ask("2.77.0.127.in-addr.arpa.", dns.TypePTR),
		ask("web.", dns.TypeANY), ask("shop.", dns.TypeAXFR), ask("web.", dns.TypeA).SetEdns0(4096, true),
	} {
		packet, err := m.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(packet)
	}
	r := bareResponder(40)
	f.Fuzz(func(t *testing.T, packet []byte) {
		out, foreign := r.answer(packet, origin{client: task, gateway: gateway})
		if foreign != nil {
			if out = r.relay(t.Context(), foreign); out == nil {
				t.Error("no answer to what is asked of others")
			}
		}
		if out == nil {
			return
		}
		m := new(dns.Msg)
		if err := m.Unpack(out); err != nil || !m.Response {
			t.Errorf("the answer %x is none: %v", out, err)
		}
		if len(out) > maxPacket {
			t.Errorf("the answer has %d bytes", len(out))
		}
		if strings.Contains(m.String(), "127.0.88.2") && !strings.Contains(string(packet), "127.0.88.2") {
			t.Errorf("an address of another network: %v", m)
		}
	})
}
