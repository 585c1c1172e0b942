package security

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"time"
)

const (
	pemCertificate = "CERTIFICATE"
	pemPrivateKey  = "PRIVATE KEY"

	uriScheme = "muster"

	// clockSkew is how far a node's clock may be behind the signer's.
	clockSkew = 5 * time.Minute

	// The authority is pinned by hash and private to one cluster, so its end
	// date protects nobody, while reaching it would brick the cluster.
	caLifetime = 100 * 365 * 24 * time.Hour
	caBackdate = 24 * time.Hour
)

// CA is the cluster's certificate authority. Its key exists in memory on
// voters, and at rest only sealed under the cluster key.
type CA struct {
	clusterID string
	cert      *x509.Certificate
	key       *ecdsa.PrivateKey
}

// NewCA makes the authority of a new cluster, valid from a day before now.
func NewCA(clusterID string, now time.Time) (*CA, error) {
	if err := checkID("cluster", clusterID); err != nil {
		return nil, fmt.Errorf("make authority: %w", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make authority key: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber:          newSerial(),
		Subject:               pkix.Name{CommonName: "muster CA", Organization: []string{clusterID}},
		NotBefore:             now.Add(-caBackdate),
		NotAfter:              now.Add(caLifetime),
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make authority certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("make authority certificate: %w", err)
	}
	return &CA{clusterID: clusterID, cert: cert, key: key}, nil
}

// ParseCA rebuilds an authority from [CA.CertPEM] and [CA.MarshalKey].
func ParseCA(certPEM, keyDER []byte) (*CA, error) {
	cert, err := parseCACert(certPEM)
	if err != nil {
		return nil, fmt.Errorf("parse authority: %w", err)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(keyDER)
	if err != nil {
		return nil, fmt.Errorf("parse authority key: %w", err)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || !key.PublicKey.Equal(cert.PublicKey) {
		return nil, errors.New("parse authority: the key does not belong to the certificate")
	}
	return &CA{clusterID: cert.Subject.Organization[0], cert: cert, key: key}, nil
}

// ClusterID returns the cluster this authority speaks for.
func (ca *CA) ClusterID() string { return ca.clusterID }

// CertPEM returns the authority's certificate, which is public.
func (ca *CA) CertPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: ca.cert.Raw})
}

// Hash is what join tokens pin: SHA-256 of the certificate (DER), in hex.
func (ca *CA) Hash() string { return hashHex(ca.cert.Raw) }

// MarshalKey returns the private key (PKCS#8, DER), to be sealed by the caller.
func (ca *CA) MarshalKey() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(ca.key)
	if err != nil {
		return nil, fmt.Errorf("export authority key: %w", err)
	}
	return der, nil
}

// Sign certifies the key of a signing request for nodeID, from five minutes
// before now (clock skew) until now+ttl. Every name in the request is
// ignored: the certificate names the cluster and the node, nothing else.
func (ca *CA) Sign(csrDER []byte, nodeID string, now time.Time, ttl time.Duration) ([]byte, error) {
	if err := checkID("node", nodeID); err != nil {
		return nil, fmt.Errorf("sign certificate: %w", err)
	}
	if ttl <= 0 {
		return nil, fmt.Errorf("sign certificate for node %s: lifetime %s is not positive", nodeID, ttl)
	}
	csr, err := ParseCSR(csrDER)
	if err != nil {
		return nil, fmt.Errorf("sign certificate for node %s: %w", nodeID, err)
	}
	template := &x509.Certificate{
		SerialNumber:          newSerial(),
		Subject:               pkix.Name{CommonName: nodeID, Organization: []string{ca.clusterID}},
		URIs:                  []*url.URL{{Scheme: uriScheme, Host: ca.clusterID, Path: "/" + nodeID}},
		NotBefore:             now.Add(-clockSkew),
		NotAfter:              now.Add(ttl),
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, csr.PublicKey, ca.key)
	if err != nil {
		return nil, fmt.Errorf("sign certificate for node %s: %w", nodeID, err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: der}), nil
}

// Issue makes a key and a certificate in one step, for the node that holds
// the authority itself when the cluster is made.
func (ca *CA) Issue(nodeID string, now time.Time, ttl time.Duration) (*Identity, error) {
	key, err := NewIdentityKey()
	if err != nil {
		return nil, err
	}
	csr, err := CSR(key)
	if err != nil {
		return nil, err
	}
	certPEM, err := ca.Sign(csr, nodeID, now, ttl)
	if err != nil {
		return nil, err
	}
	return NewIdentity(certPEM, ca.CertPEM(), key)
}

func parseCACert(certPEM []byte) (*x509.Certificate, error) {
	cert, err := parseOneCert(certPEM)
	if err != nil {
		return nil, err
	}
	if !cert.IsCA || len(cert.Subject.Organization) != 1 {
		return nil, errors.New("the certificate is not that of a cluster's authority")
	}
	if err := checkID("cluster", cert.Subject.Organization[0]); err != nil {
		return nil, err
	}
	return cert, nil
}

// maxAuthorities bounds a bundle: a rotation has two.
const maxAuthorities = 8

// parseCACerts reads one or more authorities of one cluster.
func parseCACerts(bundlePEM []byte) ([]*x509.Certificate, error) {
	var out []*x509.Certificate
	for rest := bundlePEM; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if len(out) == maxAuthorities {
			return nil, fmt.Errorf("there are more than %d authorities", maxAuthorities)
		}
		cert, err := parseCACert(pem.EncodeToMemory(block))
		if err != nil {
			return nil, err
		}
		out = append(out, cert)
	}
	if len(out) == 0 {
		return nil, errors.New("no PEM certificate found")
	}
	return out, nil
}

func parseOneCert(certPEM []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(certPEM)
	if block == nil || block.Type != pemCertificate {
		return nil, errors.New("no PEM certificate found")
	}
	return x509.ParseCertificate(block.Bytes)
}

// CAHash is the pin of an authority's certificate: its SHA-256 in hex.
func CAHash(certPEM []byte) (string, error) {
	cert, err := parseCACert(certPEM)
	if err != nil {
		return "", fmt.Errorf("read the authority's certificate: %w", err)
	}
	return hashHex(cert.Raw), nil
}
