package agent

import (
	"crypto/tls"
	"io"
	"net"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/security"
)

// Every protocol of the TLS port is tried with every kind of caller, over real
// sockets: raft is for voters alone, those whose certificate is one of the past
// among them; HTTP takes whoever has no certificate or a right one, and leaves
// the rest to its routes.
func TestEveryProtocolRefusesStrangers(t *testing.T) {
	now := time.Now()
	clusterID := ulid.Make().String()
	authority := func(cluster string) *security.CA {
		ca, err := security.NewCA(cluster, now)
		if err != nil {
			t.Fatal(err)
		}
		return ca
	}
	ca, past, foreign, impostor := authority(clusterID), authority(clusterID), authority(ulid.Make().String()), authority(clusterID)
	issue := func(ca *security.CA, node string, at time.Time) *security.Identity {
		id, err := ca.Issue(node, at, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	node := func() string { return ulid.Make().String() }
	var (
		worker, voter  = issue(ca, node(), now), issue(ca, node(), now)
		sleeper, early = issue(ca, node(), now.Add(-48*time.Hour)), issue(ca, node(), now.Add(48*time.Hour))
		retired        = issue(past, node(), now)
	)
	m := &member{known: &known{}}
	for _, id := range []*security.Identity{worker, voter, sleeper, early, retired} {
		m.members = append(m.members, api.Member{ID: cluster.NodeID(id.NodeID), PublicKey: id.PublicKeyHash(), Voter: id != worker})
	}
	host := issue(ca, node(), now)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	mux := security.NewMux(l, security.ServerTLS(func() *security.Identity { return host }, m.verify()), nil)
	t.Cleanup(func() { _ = mux.Close() })
	for protocol, from := range map[string]net.Listener{"raft": &raftListener{Listener: mux.Raft(), m: m}, "http": mux.HTTP()} {
		go func() {
			for {
				conn, err := from.Accept()
				if err != nil {
					return
				}
				_, _ = io.WriteString(conn, protocol)
				_ = conn.Close()
			}
		}()
	}
	none := ""
	for _, tc := range []struct {
		name       string
		id         *security.Identity
		raft, http string // who takes the connection
	}{
		{"no certificate", nil, none, "http"},
		{"a removed node", issue(ca, node(), now), none, "http"},
		{"a voter's ID with another key", issue(ca, voter.NodeID, now), none, "http"},
		{"a worker", worker, none, "http"},
		{"a voter", voter, "raft", "http"},
		{"a voter with an authority of the past", retired, "raft", "http"},
		{"a voter with an expired certificate", sleeper, "raft", "http"},
		{"an expired certificate of a removed node", issue(ca, node(), now.Add(-48*time.Hour)), none, none},
		{"a certificate of tomorrow", early, none, none},
		{"another cluster", issue(foreign, voter.NodeID, now), none, none},
		{"an authority of somebody's own", issue(impostor, voter.NodeID, now), none, none},
	} {
		beat := tc.http
		if tc.id == nil {
			beat = none
		}
		for protocol, want := range map[string]string{
			security.ALPNRaft: tc.raft, security.ALPNBeat: beat, security.ALPNHTTP2: tc.http, security.ALPNHTTP1: tc.http, "": tc.http, "gopher/1": none,
		} {
			cfg := &tls.Config{InsecureSkipVerify: true}
			if protocol != "" {
				cfg.NextProtos = []string{protocol}
			}
			if tc.id != nil {
				cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &tc.id.Cert, nil }
			}
			if got := whoTakes(t, l.Addr().String(), cfg); got != want {
				t.Errorf("%s, protocol %q: taken by %q, want %q", tc.name, protocol, got, want)
			}
		}
	}
}

// whoTakes is what the other end says first; "" when there is no connection.
func whoTakes(t *testing.T, addr string, cfg *tls.Config) string {
	t.Helper()
	raw, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = raw.Close() }()
	_ = raw.SetDeadline(time.Now().Add(time.Minute))
	said, _ := io.ReadAll(tls.Client(raw, cfg)) // a refused handshake says nothing
	return string(said)
}
