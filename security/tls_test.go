package security

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"testing"
	"time"
)

func TestMutualTLS(t *testing.T) {
	ca := mustCA(t, cluster1)
	server, client := mustIssue(t, ca, node1), mustIssue(t, ca, node2)
	foreign := mustIssue(t, mustCA(t, cluster2), node2)
	impostor := mustIssue(t, mustCA(t, cluster1), node2) // right names, other authority
	otherSAN := crossSigned(t, ca, cluster2, node2)      // right authority, other cluster's name
	serverOnly := forgedIdentity(t, ca, cluster1, node2, x509.ExtKeyUsageServerAuth)
	rightKey := func(nodeID, hash string) bool { return nodeID == node2 && hash == client.PublicKeyHash() }
	late, early := epoch.Add(365*24*time.Hour), epoch.Add(-10*time.Minute)

	for _, tc := range []struct {
		name   string
		client *Identity
		opts   VerifyOptions
		want   error // of the server
	}{
		{"member", client, at(epoch), nil},
		{"clock four minutes behind", client, at(epoch.Add(-4 * time.Minute)), nil},
		{"foreign cluster", foreign, at(epoch), ErrForeignCA},
		{"same names, other authority", impostor, at(epoch), ErrForeignCA},
		{"other cluster's name under our authority", otherSAN, at(epoch), ErrForeignCluster},
		{"not meant for clients", serverOnly, at(epoch), ErrForeignCA},
		{"expired", client, at(late), ErrExpired},
		{"expired, recorded key", client, VerifyOptions{Now: at(late).Now, AllowExpired: rightKey}, nil},
		{"expired, other key", mustIssue(t, ca, node2), VerifyOptions{Now: at(late).Now, AllowExpired: rightKey}, ErrExpired},
		{"expired impostor", impostor, VerifyOptions{Now: at(late).Now, AllowExpired: allowAll}, ErrForeignCA},
		{"not yet valid", client, VerifyOptions{Now: at(early).Now, AllowExpired: allowAll}, ErrNotYetValid},
		{"authority's own certificate", caAsNode(t, ca), at(epoch), ErrNotNode},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cliOpts := VerifyOptions{Now: tc.opts.Now, AllowExpired: allowAll}
			if errors.Is(tc.want, ErrNotYetValid) {
				cliOpts = at(epoch)
			}
			cfg := ClientTLS(fixed(tc.client), "", cliOpts)
			cfg.VerifyConnection = nil // the client's view is the next test
			cs, srvErr, cliErr := handshake(t, ServerTLS(fixed(server), tc.opts), cfg)
			if !errors.Is(srvErr, tc.want) {
				t.Fatalf("server: %v, want %v", srvErr, tc.want)
			}
			if tc.want != nil {
				if cliErr == nil {
					t.Error("the client could read from a server that refused it")
				}
				return
			}
			if id, ok := PeerID(cs); !ok || id != node2 {
				t.Errorf("peer %q, %v", id, ok)
			}
		})
	}
}

func TestClientVerifiesServer(t *testing.T) {
	ca := mustCA(t, cluster1)
	server, client := mustIssue(t, ca, node1), mustIssue(t, ca, node2)
	clientOnly := forgedIdentity(t, ca, cluster1, node1, x509.ExtKeyUsageClientAuth)
	late := epoch.Add(365 * 24 * time.Hour)

	for _, tc := range []struct {
		name   string
		server *Identity
		expect string
		opts   VerifyOptions
		want   error
	}{
		{"any node", server, "", at(epoch), nil},
		{"the expected node", server, node1, at(epoch), nil},
		{"another node", server, node2, at(epoch), ErrWrongNode},
		{"foreign authority", mustIssue(t, mustCA(t, cluster1), node1), "", at(epoch), ErrForeignCA},
		{"other cluster's name", crossSigned(t, ca, cluster2, node1), "", at(epoch), ErrForeignCluster},
		{"not meant for servers", clientOnly, "", at(epoch), ErrForeignCA},
		{"expired", server, "", at(late), ErrExpired},
		{"expired, recorded key", server, node1, VerifyOptions{Now: at(late).Now, AllowExpired: allowAll}, nil},
		{"expired, recorded, another node", server, node2, VerifyOptions{Now: at(late).Now, AllowExpired: allowAll}, ErrWrongNode},
		{"not yet valid", server, "", at(epoch.Add(-time.Hour)), ErrNotYetValid},
	} {
		t.Run(tc.name, func(t *testing.T) {
			srv := ServerTLS(fixed(tc.server), VerifyOptions{})
			srv.VerifyConnection = nil // the server's view is the test above
			_, _, err := handshake(t, srv, ClientTLS(fixed(client), tc.expect, tc.opts))
			if !errors.Is(err, tc.want) {
				t.Errorf("client: %v, want %v", err, tc.want)
			}
		})
	}
}

func TestWithoutClientCertificate(t *testing.T) {
	ca := mustCA(t, cluster1)
	server := ServerTLS(fixed(mustIssue(t, ca, node1)), at(epoch))

	cs, srvErr, cliErr := handshake(t, server, JoinTLS(ca.Hash(), cluster1, at(epoch)))
	if srvErr != nil || cliErr != nil {
		t.Fatalf("join: server %v, client %v", srvErr, cliErr)
	}
	if id, ok := PeerID(cs); ok {
		t.Errorf("a client without certificate is node %q", id)
	}
	if got := CallerOf(&cs, mustIssue(t, ca, node1), epoch); got != (Caller{}) {
		t.Errorf("a client without certificate is caller %+v", got)
	}

	raft := JoinTLS(ca.Hash(), cluster1, at(epoch))
	raft.NextProtos = []string{ALPNRaft}
	if _, srvErr, _ := handshake(t, server, raft); !errors.Is(srvErr, ErrNoCertificate) {
		t.Errorf("raft without certificate: %v, want %v", srvErr, ErrNoCertificate)
	}
	unknown := JoinTLS(ca.Hash(), cluster1, at(epoch))
	unknown.NextProtos = []string{"spdy/3"}
	if _, srvErr, _ := handshake(t, server, unknown); srvErr == nil {
		t.Error("an unknown protocol was accepted")
	}
	old := JoinTLS(ca.Hash(), cluster1, at(epoch))
	old.MaxVersion, old.MinVersion = tls.VersionTLS12, tls.VersionTLS12
	if _, srvErr, _ := handshake(t, server, old); srvErr == nil {
		t.Error("TLS 1.2 was accepted")
	}
}

func TestJoinPinsTheAuthority(t *testing.T) {
	ca, other := mustCA(t, cluster1), mustCA(t, cluster1)
	// The attacker shows the real authority behind a certificate of its own.
	liar := mustIssue(t, other, node1)
	liar.Cert.Certificate = [][]byte{liar.Cert.Certificate[0], ca.cert.Raw}
	noChain := mustIssue(t, ca, node1)
	noChain.Cert.Certificate = noChain.Cert.Certificate[:1]

	for _, tc := range []struct {
		name           string
		server         *Identity
		pin, clusterID string
		want           error
	}{
		{"right", mustIssue(t, ca, node1), ca.Hash(), cluster1, nil},
		{"other authority", mustIssue(t, other, node1), ca.Hash(), cluster1, ErrPinMismatch},
		{"authority not sent", noChain, ca.Hash(), cluster1, ErrPinMismatch},
		{"authority sent, not its certificate", liar, ca.Hash(), cluster1, ErrForeignCA},
		{"other cluster", mustIssue(t, ca, node1), ca.Hash(), cluster2, ErrForeignCluster},
		{"pin is no hash", mustIssue(t, ca, node1), "", cluster1, ErrPinMismatch},
		{"pin of a node certificate", noChain, hashHex(noChain.Cert.Leaf.Raw), cluster1, ErrPinMismatch},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, _, err := handshake(t, ServerTLS(fixed(tc.server), at(epoch)), JoinTLS(tc.pin, tc.clusterID, at(epoch)))
			if !errors.Is(err, tc.want) {
				t.Errorf("%v, want %v", err, tc.want)
			}
		})
	}
}

func TestRenewalTakesEffectAtOnce(t *testing.T) {
	ca := mustCA(t, cluster1)
	id := mustIssue(t, ca, node1)
	client := ClientTLS(fixed(mustIssue(t, ca, node2)), node1, at(epoch.Add(36*time.Hour)))
	server := ServerTLS(func() *Identity { return id }, VerifyOptions{Now: at(epoch).Now, AllowExpired: allowAll})
	if _, _, err := handshake(t, server, client); !errors.Is(err, ErrExpired) {
		t.Fatalf("before the renewal: %v, want %v", err, ErrExpired)
	}
	csr, err := CSR(id.Key())
	if err != nil {
		t.Fatal(err)
	}
	certPEM, err := ca.Sign(csr, node1, epoch.Add(36*time.Hour), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	before := id.PublicKeyHash()
	if id, err = NewIdentity(certPEM, id.CAPEM(), id.Key()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := handshake(t, server, client); err != nil {
		t.Errorf("after the renewal: %v", err)
	}
	if id.PublicKeyHash() != before {
		t.Error("the renewal changed the recorded key")
	}
	id = nil
	if _, srvErr, _ := handshake(t, server, client); !errors.Is(srvErr, ErrNoIdentity) {
		t.Errorf("without identity: %v, want %v", srvErr, ErrNoIdentity)
	}
}

func TestCertNamesIsExact(t *testing.T) {
	ca := mustCA(t, cluster1)
	for _, uri := range []string{
		"muster://" + cluster1 + "/" + node1 + "/x",
		"muster://" + cluster1 + "/" + node1 + "?x=1",
		"muster://user@" + cluster1 + "/" + node1,
		"https://" + cluster1 + "/" + node1,
		"muster:" + cluster1 + "/" + node1,
	} {
		cert := signURI(t, ca, uri)
		if c, n, err := certNames(cert); err == nil {
			t.Errorf("%s: read as %s, %s", uri, c, n)
		}
	}
	if _, _, err := certNames(&x509.Certificate{}); !errors.Is(err, ErrNotNode) {
		t.Errorf("no URI: %v", err)
	}
}

func allowAll(string, string) bool { return true }
