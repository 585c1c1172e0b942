package security

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
)

// The protocols spoken on the one TLS port, as ALPN names.
const (
	ALPNRaft  = "muster-raft/1"
	ALPNBeat  = "muster-beat/1" // HTTP/1.1 between members, one call after the other
	ALPNHTTP2 = "h2"
	ALPNHTTP1 = "http/1.1"
)

// ErrPinMismatch says that a host could not prove to be of the cluster that a
// join token names.
var ErrPinMismatch = errors.New("the host does not belong to the cluster that the token names")

// ErrPinReplaced is an ErrPinMismatch of a host that claims to be of the
// cluster, under an authority that the token does not name.
var ErrPinReplaced = fmt.Errorf("%w, or the cluster has changed its authority since the token was made", ErrPinMismatch)

// ServerTLS is the server side of the TLS port. get returns the current
// identity (nil: none yet, every handshake fails) and is asked on each
// handshake, so that renewals take effect at once.
//
// A client certificate is optional for HTTP, because joining hosts have none,
// and required for raft and beats; one that is given must be right, else the handshake
// fails.
func ServerTLS(get func() *Identity, opts VerifyOptions) *tls.Config {
	cfg := baseTLS()
	cfg.NextProtos = []string{ALPNRaft, ALPNBeat, ALPNHTTP2, ALPNHTTP1}
	cfg.ClientAuth = tls.RequestClientCert
	cfg.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		return currentCert(get)
	}
	cfg.VerifyConnection = func(cs tls.ConnectionState) error {
		if len(cs.PeerCertificates) == 0 {
			if cs.NegotiatedProtocol == ALPNRaft || cs.NegotiatedProtocol == ALPNBeat {
				return ErrNoCertificate
			}
			return nil
		}
		return verifyAs(get, "", x509.ExtKeyUsageClientAuth, opts, cs)
	}
	return cfg
}

// ClientTLS is the client side between nodes. The server must be a node of
// the cluster, and expectNodeID itself unless that is empty. alpn defaults to
// the HTTP protocols; pass [ALPNRaft] for raft streams.
//
// In TLS 1.3 the client finishes first: that the server refuses this host's
// certificate shows as an error of the first read.
func ClientTLS(get func() *Identity, expectNodeID string, opts VerifyOptions, alpn ...string) *tls.Config {
	if len(alpn) == 0 {
		alpn = []string{ALPNHTTP2, ALPNHTTP1}
	}
	cfg := baseTLS()
	cfg.NextProtos = alpn
	cfg.InsecureSkipVerify = true // replaced by VerifyConnection: host names prove nothing here
	cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		return currentCert(get)
	}
	cfg.VerifyConnection = func(cs tls.ConnectionState) error {
		return verifyAs(get, expectNodeID, x509.ExtKeyUsageServerAuth, opts, cs)
	}
	return cfg
}

// JoinTLS is the client side of a host that is not a member yet. It trusts
// only a server that presents the authority with the pinned hash (hex) and a
// certificate of clusterID signed by it.
func JoinTLS(caHash, clusterID string, opts VerifyOptions) *tls.Config {
	cfg := baseTLS()
	cfg.NextProtos = []string{ALPNHTTP2, ALPNHTTP1}
	cfg.InsecureSkipVerify = true // replaced by VerifyConnection: trust comes from the token
	cfg.VerifyConnection = func(cs tls.ConnectionState) error {
		roots, err := pinnedPool(cs.PeerCertificates, caHash)
		if err != nil {
			return replacedPin(err, cs.PeerCertificates, clusterID)
		}
		rules := peerRules{roots: roots, clusterID: clusterID, usage: x509.ExtKeyUsageServerAuth, opts: opts}
		if err := rules.check(cs.PeerCertificates); err != nil {
			return fmt.Errorf("verify the host to join: %w", err)
		}
		return nil
	}
	return cfg
}

// baseTLS has no session tickets: every connection proves its certificate
// against the rules of now.
func baseTLS() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS13, SessionTicketsDisabled: true}
}

func currentCert(get func() *Identity) (*tls.Certificate, error) {
	id := get()
	if id == nil {
		return nil, ErrNoIdentity
	}
	return &id.Cert, nil
}

func verifyAs(get func() *Identity, nodeID string, usage x509.ExtKeyUsage, opts VerifyOptions, cs tls.ConnectionState) error {
	id := get()
	if id == nil {
		return ErrNoIdentity
	}
	rules := peerRules{roots: id.CAPool, clusterID: id.ClusterID, nodeID: nodeID, usage: usage, opts: opts}
	if err := rules.check(cs.PeerCertificates); err != nil {
		return fmt.Errorf("verify peer: %w", err)
	}
	return nil
}

// replacedPin tells a host of the cluster, by its own claim, from any other.
func replacedPin(err error, certs []*x509.Certificate, clusterID string) error {
	if len(certs) > 1 {
		if of, _, nameErr := certNames(certs[0]); nameErr == nil && of == clusterID {
			return ErrPinReplaced
		}
	}
	return err
}

func pinnedPool(certs []*x509.Certificate, caHash string) (*x509.CertPool, error) {
	want, err := hex.DecodeString(caHash)
	if err != nil || len(want) != sha256.Size {
		return nil, fmt.Errorf("%w: %q is not a SHA-256 hash", ErrPinMismatch, caHash)
	}
	for _, cert := range certs {
		sum := sha256.Sum256(cert.Raw)
		if cert.IsCA && subtle.ConstantTimeCompare(sum[:], want) == 1 {
			pool := x509.NewCertPool()
			pool.AddCert(cert)
			return pool, nil
		}
	}
	return nil, ErrPinMismatch
}
