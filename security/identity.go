package security

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// Identity is what makes a host a member: its names, its key and certificate,
// and the authority it trusts. It is immutable; a renewal makes a new one.
type Identity struct {
	ClusterID string
	NodeID    string
	Cert      tls.Certificate // node certificate, then the authority's, as sent to peers
	CAPool    *x509.CertPool
	CAHash    string // SHA-256 of the authority's certificate (DER), in hex
}

// NewIdentity joins a signed certificate with its key and authority. It fails
// when they do not belong together; it does not look at the dates.
func NewIdentity(certPEM, caPEM []byte, key *ecdsa.PrivateKey) (*Identity, error) {
	ca, err := parseCACert(caPEM)
	if err != nil {
		return nil, fmt.Errorf("build identity: authority: %w", err)
	}
	leaf, err := parseOneCert(certPEM)
	if err != nil {
		return nil, fmt.Errorf("build identity: node certificate: %w", err)
	}
	if !key.PublicKey.Equal(leaf.PublicKey) {
		return nil, errors.New("build identity: the key does not belong to the node certificate")
	}
	clusterID, nodeID, err := certNames(leaf)
	if err != nil {
		return nil, fmt.Errorf("build identity: %w", err)
	}
	if clusterID != ca.Subject.Organization[0] {
		return nil, fmt.Errorf("build identity: the certificate is for cluster %s, the authority for %s",
			clusterID, ca.Subject.Organization[0])
	}
	if err := leaf.CheckSignatureFrom(ca); err != nil {
		return nil, fmt.Errorf("build identity: the authority did not sign the certificate: %w", err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(ca)
	return &Identity{
		ClusterID: clusterID,
		NodeID:    nodeID,
		Cert:      tls.Certificate{Certificate: [][]byte{leaf.Raw, ca.Raw}, PrivateKey: key, Leaf: leaf},
		CAPool:    pool,
		CAHash:    hashHex(ca.Raw),
	}, nil
}

// Key returns the node's private key, to sign the request for a renewal.
func (id *Identity) Key() *ecdsa.PrivateKey {
	return id.Cert.PrivateKey.(*ecdsa.PrivateKey)
}

// CAPEM returns the authority's certificate.
func (id *Identity) CAPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: id.Cert.Certificate[1]})
}

// PublicKeyHash is what replicated state records about this node's key.
func (id *Identity) PublicKeyHash() string { return PublicKeyHash(id.Cert.Leaf) }

// marshal writes key, certificate and authority as one PEM file, so that they
// are replaced together or not at all.
func (id *Identity) marshal() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(id.Key())
	if err != nil {
		return nil, fmt.Errorf("encode node key: %w", err)
	}
	out := pem.EncodeToMemory(&pem.Block{Type: pemPrivateKey, Bytes: der})
	for _, cert := range id.Cert.Certificate {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: cert})...)
	}
	return out, nil
}

func unmarshalIdentity(data []byte) (*Identity, error) {
	keyBlock, rest := pem.Decode(data)
	if keyBlock == nil || keyBlock.Type != pemPrivateKey {
		return nil, errors.New("no private key where the file must begin")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(keyBlock.Bytes)
	if err != nil {
		return nil, fmt.Errorf("private key: %w", err)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("private key of type %T", parsed)
	}
	leaf, rest := pem.Decode(rest)
	if leaf == nil {
		return nil, errors.New("no node certificate after the key")
	}
	return NewIdentity(pem.EncodeToMemory(leaf), rest, key)
}
