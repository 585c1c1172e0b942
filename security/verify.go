package security

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Reasons for which a peer's certificate is refused, for errors.Is.
var (
	ErrNoIdentity     = errors.New("this host has no identity")
	ErrForeignCA      = errors.New("the certificate is not signed by this cluster's authority")
	ErrForeignCluster = errors.New("the certificate belongs to another cluster")
	ErrNotNode        = errors.New("the certificate is not that of a node")
	ErrWrongNode      = errors.New("the certificate belongs to another node")
	ErrExpired        = errors.New("the certificate has expired")
	ErrNotYetValid    = errors.New("the certificate is not valid yet: compare the clocks of both hosts")
	ErrNoCertificate  = errors.New("the peer sent no certificate")
)

// VerifyOptions adjusts the verification of peers. The zero value uses the
// system's clock and lets no expired certificate pass.
type VerifyOptions struct {
	Now func() time.Time

	// AllowExpired is asked about a certificate that is right in everything
	// but its end date. It answers whether pubKeyHash is the recorded,
	// unrevoked key of the node, so that a cluster that slept past its
	// certificates can wake up. It must not block. What such a peer may then
	// do is for [Authorise] to say.
	AllowExpired func(nodeID, pubKeyHash string) bool

	// AllowRetired is asked the same about a certificate of this cluster that
	// none of the host's authorities signed: one end was away while the cluster
	// changed its authority. The recorded key proves who it is without one.
	AllowRetired func(nodeID, pubKeyHash string) bool
}

func (o VerifyOptions) now() time.Time {
	if o.Now == nil {
		return time.Now()
	}
	return o.Now()
}

// certNames reads the cluster and node that a certificate names. They stand
// in its single URI, in the one spelling that [CA.Sign] writes.
func certNames(cert *x509.Certificate) (clusterID, nodeID string, err error) {
	if len(cert.URIs) != 1 {
		return "", "", fmt.Errorf("%w: it has %d URI names, want one", ErrNotNode, len(cert.URIs))
	}
	rest, ok := strings.CutPrefix(cert.URIs[0].String(), uriScheme+"://")
	if !ok {
		return "", "", fmt.Errorf("%w: its URI is %q", ErrNotNode, cert.URIs[0])
	}
	clusterID, nodeID, _ = strings.Cut(rest, "/")
	if err := errors.Join(checkID("cluster", clusterID), checkID("node", nodeID)); err != nil {
		return "", "", fmt.Errorf("%w: its URI is %q: %w", ErrNotNode, cert.URIs[0], err)
	}
	return clusterID, nodeID, nil
}

// peerRules is what one end of a connection demands of the other.
type peerRules struct {
	roots     *x509.CertPool
	clusterID string
	nodeID    string // "": any node of the cluster
	usage     x509.ExtKeyUsage
	opts      VerifyOptions
}

func (r peerRules) check(certs []*x509.Certificate) error {
	if len(certs) == 0 {
		return ErrNoCertificate
	}
	leaf := certs[0]
	now := r.opts.now()
	// The signature is proven as of a moment at which the certificate was
	// valid, so that dates and trust fail with errors of their own.
	at := now
	if at.After(leaf.NotAfter) {
		at = leaf.NotAfter
	}
	if at.Before(leaf.NotBefore) {
		at = leaf.NotBefore
	}
	_, err := leaf.Verify(x509.VerifyOptions{
		Roots:       r.roots,
		CurrentTime: at,
		KeyUsages:   []x509.ExtKeyUsage{r.usage},
	})
	if err != nil && !r.retired(leaf) {
		return fmt.Errorf("%w: %w", ErrForeignCA, err)
	}
	clusterID, nodeID, err := certNames(leaf)
	if err != nil {
		return err
	}
	if clusterID != r.clusterID {
		return fmt.Errorf("%w: %s, this one is %s", ErrForeignCluster, clusterID, r.clusterID)
	}
	if r.nodeID != "" && nodeID != r.nodeID {
		return fmt.Errorf("%w: it names %s, expected %s", ErrWrongNode, nodeID, r.nodeID)
	}
	return r.checkDates(leaf, nodeID, now)
}

// retired reports whether a certificate that no authority vouches for is that
// of a node's recorded key.
func (r peerRules) retired(leaf *x509.Certificate) bool {
	clusterID, nodeID, err := certNames(leaf)
	return err == nil && clusterID == r.clusterID && slices.Contains(leaf.ExtKeyUsage, r.usage) &&
		r.opts.AllowRetired != nil && r.opts.AllowRetired(nodeID, PublicKeyHash(leaf))
}

func (r peerRules) checkDates(leaf *x509.Certificate, nodeID string, now time.Time) error {
	if now.Before(leaf.NotBefore) {
		return fmt.Errorf("%w (node %s, valid from %s)", ErrNotYetValid, nodeID, leaf.NotBefore.UTC().Format(time.RFC3339))
	}
	if !now.After(leaf.NotAfter) {
		return nil
	}
	if allow := r.opts.AllowExpired; allow != nil && allow(nodeID, PublicKeyHash(leaf)) {
		return nil
	}
	return fmt.Errorf("%w (node %s, on %s)", ErrExpired, nodeID, leaf.NotAfter.UTC().Format(time.RFC3339))
}

// Peer is the proven other end of a connection.
type Peer struct {
	NodeID        string
	PublicKeyHash string
	NotAfter      time.Time // end of its certificate; may have passed, see [VerifyOptions]
}

// PeerOf returns who is at the other end of a connection made with this
// package's configurations, which complete no handshake with a certificate
// they did not verify. ok is false when the peer sent none.
func PeerOf(cs tls.ConnectionState) (p Peer, ok bool) {
	if !cs.HandshakeComplete || len(cs.PeerCertificates) == 0 {
		return Peer{}, false
	}
	leaf := cs.PeerCertificates[0]
	_, nodeID, err := certNames(leaf)
	if err != nil {
		return Peer{}, false
	}
	return Peer{NodeID: nodeID, PublicKeyHash: PublicKeyHash(leaf), NotAfter: leaf.NotAfter}, true
}

// PeerID is the node ID of [PeerOf].
func PeerID(cs tls.ConnectionState) (nodeID string, ok bool) {
	p, ok := PeerOf(cs)
	return p.NodeID, ok
}
