package security

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
)

// Identity is what makes a host a member: its names, its key and certificate,
// and the authorities it trusts, two of them while the cluster changes its own.
// It is immutable; a renewal makes a new one.
type Identity struct {
	ClusterID string
	NodeID    string
	Cert      tls.Certificate // node certificate, then its authority's, as sent to peers
	CAPool    *x509.CertPool
	CAHash    string // SHA-256 of the authority's certificate (DER) that signed, in hex

	others []*x509.Certificate // trusted besides the authority that signed
}

// NewIdentity joins a signed certificate with its key and the authorities to
// trust, one of which signed it. It fails when they do not belong together; it
// does not look at the dates.
func NewIdentity(certPEM, caPEM []byte, key *ecdsa.PrivateKey) (*Identity, error) {
	authorities, err := parseCACerts(caPEM)
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
	id := &Identity{ClusterID: clusterID, NodeID: nodeID, CAPool: x509.NewCertPool()}
	var unsigned error
	for _, ca := range authorities {
		if of := ca.Subject.Organization[0]; clusterID != of {
			return nil, fmt.Errorf("build identity: the certificate is for cluster %s, the authority for %s", clusterID, of)
		}
		id.CAPool.AddCert(ca)
		err := leaf.CheckSignatureFrom(ca)
		if err != nil || id.CAHash != "" {
			unsigned = errors.Join(unsigned, err)
			id.others = append(id.others, ca)
			continue
		}
		id.Cert = tls.Certificate{Certificate: [][]byte{leaf.Raw, ca.Raw}, PrivateKey: key, Leaf: leaf}
		id.CAHash = hashHex(ca.Raw)
	}
	if id.CAHash == "" {
		return nil, fmt.Errorf("build identity: the authority did not sign the certificate: %w", unsigned)
	}
	return id, nil
}

// WithAuthorities is the same identity with other authorities to trust, that
// of its certificate among them.
func (id *Identity) WithAuthorities(caPEM []byte) (*Identity, error) {
	leaf := pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: id.Cert.Leaf.Raw})
	return NewIdentity(leaf, caPEM, id.Key())
}

// Trusts reports whether one of this identity's authorities is named as the
// signer of a certificate. Who made it up in a certificate of their own gains
// nothing: a handshake succeeds with a signature of an authority, or with the
// recorded key of a node, see [VerifyOptions].
func (id *Identity) Trusts(leaf *x509.Certificate) bool {
	if bytes.Equal(leaf.AuthorityKeyId, id.Cert.Leaf.AuthorityKeyId) {
		return true
	}
	return slices.ContainsFunc(id.others, func(ca *x509.Certificate) bool {
		return bytes.Equal(leaf.AuthorityKeyId, ca.SubjectKeyId)
	})
}

// Key returns the node's private key, to sign the request for a renewal.
func (id *Identity) Key() *ecdsa.PrivateKey {
	return id.Cert.PrivateKey.(*ecdsa.PrivateKey)
}

// CAPEM returns the certificates of the authorities, that which signed first.
func (id *Identity) CAPEM() []byte {
	out := pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: id.Cert.Certificate[1]})
	for _, ca := range id.others {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: ca.Raw})...)
	}
	return out
}

// PublicKeyHash is what replicated state records about this node's key.
func (id *Identity) PublicKeyHash() string { return PublicKeyHash(id.Cert.Leaf) }

// marshal writes key, certificate and authorities as one PEM file, so that they
// are replaced together or not at all.
func (id *Identity) marshal() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(id.Key())
	if err != nil {
		return nil, fmt.Errorf("encode node key: %w", err)
	}
	out := pem.EncodeToMemory(&pem.Block{Type: pemPrivateKey, Bytes: der})
	out = append(out, pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: id.Cert.Leaf.Raw})...)
	return append(out, id.CAPEM()...), nil
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
