package security

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"net/url"
	"testing"
	"time"
)

func TestSignNamesClusterAndNodeOnly(t *testing.T) {
	ca := mustCA(t, cluster1)
	key, err := NewIdentityKey()
	if err != nil {
		t.Fatal(err)
	}
	greedy, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject:  pkix.Name{CommonName: node2, Organization: []string{cluster2, "admins"}},
		DNSNames: []string{"example.org"},
		URIs:     []*url.URL{{Scheme: "muster", Host: cluster2, Path: "/" + node2}},
	}, key)
	if err != nil {
		t.Fatal(err)
	}
	certPEM, err := ca.Sign(greedy, node1, epoch, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := parseOneCert(certPEM)
	if err != nil {
		t.Fatal(err)
	}
	if got := cert.Subject.String(); got != "CN="+node1+",O="+cluster1 {
		t.Errorf("subject %q", got)
	}
	if len(cert.DNSNames)+len(cert.IPAddresses)+len(cert.EmailAddresses) != 0 || len(cert.URIs) != 1 {
		t.Errorf("the certificate took names from the request: %v %v", cert.DNSNames, cert.URIs)
	}
	if got, want := cert.URIs[0].String(), "muster://"+cluster1+"/"+node1; got != want {
		t.Errorf("URI %q, want %q", got, want)
	}
	if want := epoch.Add(-5 * time.Minute); !cert.NotBefore.Equal(want) {
		t.Errorf("valid from %v, want %v", cert.NotBefore, want)
	}
	if cert.IsCA {
		t.Error("a node certificate may not sign")
	}
	csr, err := ParseCSR(greedy)
	if err != nil {
		t.Fatal(err)
	}
	if PublicKeyHash(cert) != PublicKeyHash(csr) {
		t.Error("certificate and signing request have different key hashes")
	}
}

func TestSignRefuses(t *testing.T) {
	ca := mustCA(t, cluster1)
	key, _ := NewIdentityKey()
	good, err := CSR(key)
	if err != nil {
		t.Fatal(err)
	}
	forged := append([]byte(nil), good...)
	forged[len(forged)-1] ^= 1
	_, edKey, _ := ed25519.GenerateKey(rand.Reader)
	otherKind, _ := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, edKey)
	weak, _ := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	otherCurve, _ := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, weak)

	for name, tc := range map[string]struct {
		csr    []byte
		nodeID string
		ttl    time.Duration
	}{
		"forged signature":  {forged, node1, time.Hour},
		"garbage":           {[]byte("hello"), node1, time.Hour},
		"other key type":    {otherKind, node1, time.Hour},
		"other curve":       {otherCurve, node1, time.Hour},
		"no node":           {good, "", time.Hour},
		"path in node name": {good, "../01JN0DEAAAAAAAAAAAAAAAAA", time.Hour},
		"lower-case node":   {good, "01jn0deaaaaaaaaaaaaaaaaaa1", time.Hour},
		"no lifetime":       {good, node1, 0},
	} {
		if _, err := ca.Sign(tc.csr, tc.nodeID, epoch, tc.ttl); err == nil {
			t.Errorf("%s: signed", name)
		}
	}
}

func TestCARoundTrip(t *testing.T) {
	ca := mustCA(t, cluster1)
	keyDER, err := ca.MarshalKey()
	if err != nil {
		t.Fatal(err)
	}
	back, err := ParseCA(ca.CertPEM(), keyDER)
	if err != nil {
		t.Fatal(err)
	}
	if back.ClusterID() != cluster1 || back.Hash() != ca.Hash() {
		t.Errorf("got cluster %s hash %s", back.ClusterID(), back.Hash())
	}
	old, renewed := mustIssue(t, ca, node1), mustIssue(t, back, node2)
	if _, srvErr, cliErr := handshake(t,
		ServerTLS(fixed(old), at(epoch)), ClientTLS(fixed(renewed), node1, at(epoch))); srvErr != nil || cliErr != nil {
		t.Errorf("certificates of the same authority do not meet: %v, %v", srvErr, cliErr)
	}
	if got, err := CAHash(ca.CertPEM()); err != nil || got != ca.Hash() || got != old.CAHash {
		t.Errorf("the certificate's pin is %s, %v; want %s", got, err, ca.Hash())
	}
	if _, err := CAHash([]byte("no certificate")); err == nil {
		t.Error("took the pin of nothing")
	}
	if _, err := ParseCA(mustCA(t, cluster1).CertPEM(), keyDER); err == nil {
		t.Error("took the key of another authority")
	}
	if _, err := NewCA("my-cluster", epoch); err == nil {
		t.Error("took a cluster ID that is not a ULID")
	}
}

func TestULIDRoundTrip(t *testing.T) {
	for _, id := range []string{
		cluster1, node2,
		"00000000000000000000000000", "7ZZZZZZZZZZZZZZZZZZZZZZZZZ", "01ARZ3NDEKTSV4RRFFQ69G5FAV",
	} {
		b, err := decodeULID(id)
		if err != nil || encodeULID(b) != id {
			t.Errorf("%s: became %s, %v", id, encodeULID(b), err)
		}
	}
	for _, id := range []string{"", "8ZZZZZZZZZZZZZZZZZZZZZZZZZ", node1 + "A", "01ARZ3NDEKTSV4RRFFQ69G5FAU", "01ARZ3NDEKTSV4RRFFQ69G5FA\xff"} {
		if _, err := decodeULID(id); err == nil {
			t.Errorf("%q: accepted", id)
		}
	}
}
