package security

import (
	"errors"
	"slices"
	"testing"
	"time"
)

type record struct {
	revoked, voter bool
	hash           string
}

type members map[string]record

func (m members) Node(id string) (known, revoked, voter bool, hash string) {
	r, ok := m[id]
	return ok, r.revoked, r.voter, r.hash
}

func TestAuthorise(t *testing.T) {
	state := members{
		"voter":   {voter: true, hash: "hv"},
		"worker":  {hash: "hw"},
		"revoked": {revoked: true, voter: true, hash: "hr"},
		"unset":   {voter: true},
	}
	callers := map[string]Caller{
		"nobody":         {},
		"local":          {Local: true},
		"voter":          {NodeID: "voter", PublicKeyHash: "hv"},
		"worker":         {NodeID: "worker", PublicKeyHash: "hw"},
		"expired voter":  {NodeID: "voter", PublicKeyHash: "hv", Expired: true},
		"expired worker": {NodeID: "worker", PublicKeyHash: "hw", Expired: true},
		"revoked":        {NodeID: "revoked", PublicKeyHash: "hr"},
		"other key":      {NodeID: "voter", PublicKeyHash: "hx"},
		"no key":         {NodeID: "unset"},
		"removed":        {NodeID: "gone", PublicKeyHash: "hg"},
	}
	// Who gets in; of the others, nobody is unauthenticated and the rest forbidden,
	// the removed as what it is.
	allowed := map[Access][]string{
		accessUnset: {},
		Public:      {"nobody", "local", "voter", "worker", "expired voter", "expired worker", "revoked", "other key", "no key", "removed"},
		AnyNode:     {"voter", "worker"},
		Voter:       {"voter"},
		LocalAdmin:  {"local", "voter", "worker"},
		Renewal:     {"voter", "worker", "expired voter", "expired worker"},
		RaftStream:  {"voter", "expired voter"},
		Access(99):  {},
	}
	for need, in := range allowed {
		for name, c := range callers {
			var want error
			switch {
			case slices.Contains(in, name):
			case name == "nobody" && need != accessUnset && need <= RaftStream:
				want = ErrUnauthenticated
			case name == "removed" && need != accessUnset && need <= RaftStream:
				want = ErrNotMember
			default:
				want = ErrForbidden
			}
			if err := Authorise(need, c, state); !errors.Is(err, want) {
				t.Errorf("%s for %s: %v, want %v", need, name, err, want)
			}
		}
	}
}

func TestCallerOf(t *testing.T) {
	ca := mustCA(t, cluster1)
	id := mustIssue(t, ca, node2)
	server := mustIssue(t, ca, node1)
	cs, srvErr, cliErr := handshake(t, ServerTLS(fixed(server), at(epoch)), ClientTLS(fixed(id), node1, at(epoch)))
	if srvErr != nil || cliErr != nil {
		t.Fatal(srvErr, cliErr)
	}
	want := Caller{NodeID: node2, PublicKeyHash: id.PublicKeyHash()}
	if got := CallerOf(&cs, server, epoch); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	want.Expired = true
	if got := CallerOf(&cs, server, epoch.Add(25*time.Hour)); got != want {
		t.Errorf("past its end: got %+v, want %+v", got, want)
	}
	if got := CallerOf(&cs, mustIssue(t, mustCA(t, cluster1), node1), epoch); got != want {
		t.Errorf("to a host with another authority: got %+v, want %+v", got, want)
	}
	if got := CallerOf(&cs, nil, epoch); got != want {
		t.Errorf("to a host without identity: got %+v, want %+v", got, want)
	}
	if got := CallerOf(nil, server, epoch); got != (Caller{}) {
		t.Errorf("no TLS: got %+v", got)
	}
}
