package security

import (
	"crypto/tls"
	"errors"
	"fmt"
	"time"
)

// What [Authorise] answers, for errors.Is.
var (
	ErrUnauthenticated = errors.New("a node certificate of this cluster, or the local socket, is required")
	ErrForbidden       = errors.New("the caller may not do this")
	// ErrNotMember is an ErrForbidden about a node that replicated state does
	// not hold: it was removed, or this node has not heard of it yet.
	ErrNotMember = fmt.Errorf("%w: not a member of the cluster", ErrForbidden)
)

// Access is what a route demands of its caller. The zero value lets nobody
// in, so that a forgotten entry in a route table fails closed.
type Access uint8

const (
	accessUnset Access = iota
	// Public needs no certificate: joining and the liveness check.
	Public
	// AnyNode is for members, about themselves.
	AnyNode
	// Voter is for voters.
	Voter
	// LocalAdmin is a user's call: from the local socket, or relayed by a
	// member.
	LocalAdmin
	// Renewal is AnyNode that also serves a node whose certificate expired or
	// whose authority was replaced.
	Renewal
	// RaftStream is Voter that also serves such a node.
	RaftStream
)

var accessNames = [...]string{"unset", "public", "any node", "voter", "local admin", "renewal", "raft stream"}

// String names the access for logs and route tables.
func (a Access) String() string {
	if int(a) < len(accessNames) {
		return accessNames[a]
	}
	return fmt.Sprintf("access(%d)", uint8(a))
}

// Caller is who calls, as the connection proved it.
type Caller struct {
	Local         bool   // came in over the local socket
	NodeID        string // "": no certificate
	PublicKeyHash string // of the certificate
	Expired       bool   // the certificate is past its end, or its authority's, see [VerifyOptions]
}

// CallerOf describes the other end of a TLS connection of this package's
// configurations to the host of the given identity. cs may be nil: a caller
// that proved nothing.
func CallerOf(cs *tls.ConnectionState, host *Identity, now time.Time) Caller {
	if cs == nil {
		return Caller{}
	}
	p, ok := PeerOf(*cs)
	if !ok {
		return Caller{}
	}
	trusted := host != nil && host.Trusts(cs.PeerCertificates[0])
	return Caller{NodeID: p.NodeID, PublicKeyHash: p.PublicKeyHash, Expired: now.After(p.NotAfter) || !trusted}
}

// CallerAs is how the bearer of an identity appears to others.
func CallerAs(id *Identity, now time.Time) Caller {
	return Caller{NodeID: id.NodeID, PublicKeyHash: id.PublicKeyHash(), Expired: now.After(id.Cert.Leaf.NotAfter)}
}

// Lookup answers from replicated state, at the time of the call. pubKeyHash
// is the key recorded when the node joined.
type Lookup interface {
	Node(id string) (known, revoked, voter bool, pubKeyHash string)
}

// Authorise decides whether a caller may use a route. It returns nil,
// [ErrUnauthenticated] (who are you?) or [ErrForbidden] (not you), wrapped
// with the reason.
func Authorise(need Access, c Caller, lookup Lookup) error {
	switch need {
	case Public:
		return nil
	case LocalAdmin:
		if c.Local {
			return nil
		}
	case AnyNode, Voter, Renewal, RaftStream:
	default:
		return fmt.Errorf("%w: the route has no access rule", ErrForbidden)
	}
	if c.NodeID == "" {
		if c.Local {
			return fmt.Errorf("%w: this is between nodes, not for the local socket", ErrForbidden)
		}
		return ErrUnauthenticated
	}
	return authoriseNode(need, c, lookup)
}

func authoriseNode(need Access, c Caller, lookup Lookup) error {
	known, revoked, voter, pubKeyHash := lookup.Node(c.NodeID)
	switch {
	case !known:
		return fmt.Errorf("%w: node %s", ErrNotMember, c.NodeID)
	case revoked:
		return fmt.Errorf("%w: the certificate of node %s is revoked", ErrForbidden, c.NodeID)
	case pubKeyHash == "" || pubKeyHash != c.PublicKeyHash:
		return fmt.Errorf("%w: node %s is recorded with another key", ErrForbidden, c.NodeID)
	case c.Expired && need != Renewal && need != RaftStream:
		return fmt.Errorf("%w: the certificate of node %s has expired, or its authority was replaced; it must renew it first", ErrForbidden, c.NodeID)
	case !voter && (need == Voter || need == RaftStream):
		return fmt.Errorf("%w: node %s is not a voter", ErrForbidden, c.NodeID)
	}
	return nil
}
