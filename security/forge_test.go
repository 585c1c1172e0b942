package security

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"net/url"
	"testing"
	"time"
)

// signURI makes certificates that CA.Sign would refuse to make.
func signURI(t *testing.T, ca *CA, uri string) *x509.Certificate {
	t.Helper()
	cert, _ := forge(t, ca, uri, x509.ExtKeyUsageClientAuth)
	return cert
}

func forge(t *testing.T, ca *CA, uri string, usage ...x509.ExtKeyUsage) (*x509.Certificate, tls.Certificate) {
	t.Helper()
	u, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	key, err := NewIdentityKey()
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: newSerial(),
		URIs:         []*url.URL{u},
		NotBefore:    epoch.Add(-time.Minute),
		NotAfter:     epoch.Add(time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  usage,
	}, ca.cert, key.Public(), ca.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, tls.Certificate{Certificate: [][]byte{der, ca.cert.Raw}, PrivateKey: key, Leaf: cert}
}

// crossSigned is a certificate of our authority with another cluster's name,
// in the hands of a node that otherwise behaves.
func crossSigned(t *testing.T, ca *CA, clusterID, nodeID string) *Identity {
	t.Helper()
	return forgedIdentity(t, ca, clusterID, nodeID, x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth)
}

func forgedIdentity(t *testing.T, ca *CA, clusterID, nodeID string, usage ...x509.ExtKeyUsage) *Identity {
	t.Helper()
	_, cert := forge(t, ca, "muster://"+clusterID+"/"+nodeID, usage...)
	return &Identity{ClusterID: ca.clusterID, NodeID: nodeID, Cert: cert, CAPool: poolOf(ca), CAHash: ca.Hash()}
}

// caAsNode presents the authority's own certificate as that of a node.
func caAsNode(t *testing.T, ca *CA) *Identity {
	t.Helper()
	cert := tls.Certificate{Certificate: [][]byte{ca.cert.Raw}, PrivateKey: ca.key, Leaf: ca.cert}
	return &Identity{ClusterID: ca.clusterID, NodeID: node2, Cert: cert, CAPool: poolOf(ca), CAHash: ca.Hash()}
}

func poolOf(ca *CA) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	return pool
}
