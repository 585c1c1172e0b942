package security

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
)

// NewIdentityKey makes the private key of a node. It never leaves the host:
// only its signing request travels.
func NewIdentityKey() (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make node key: %w", err)
	}
	return key, nil
}

// CSR returns a signing request (PKCS#10, DER) that proves possession of key.
// It names nobody: the authority decides the names.
func CSR(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		return nil, fmt.Errorf("make signing request: %w", err)
	}
	return der, nil
}

// ParseCSR checks that a signing request is signed by the key it asks for and
// that the key is of the one kind nodes use (ECDSA P-256).
func ParseCSR(der []byte) (*x509.CertificateRequest, error) {
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, fmt.Errorf("parse signing request: %w", err)
	}
	if err := csr.CheckSignature(); err != nil {
		return nil, fmt.Errorf("check signing request: %w", err)
	}
	pub, ok := csr.PublicKey.(*ecdsa.PublicKey)
	if !ok || pub.Curve != elliptic.P256() {
		return nil, fmt.Errorf("check signing request: key type %T, want ECDSA P-256", csr.PublicKey)
	}
	return csr, nil
}

// PublicKeyHash is the name of a public key in replicated state: SHA-256 of
// the subject public key info, in hex. A certificate and the signing request
// it came from have the same hash, and so has every renewal with the same key.
func PublicKeyHash[T *x509.Certificate | *x509.CertificateRequest](v T) string {
	switch v := any(v).(type) {
	case *x509.Certificate:
		return hashHex(v.RawSubjectPublicKeyInfo)
	case *x509.CertificateRequest:
		return hashHex(v.RawSubjectPublicKeyInfo)
	}
	return ""
}

func hashHex(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
