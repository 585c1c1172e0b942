package security

import (
	"errors"
	"testing"
	"time"
)

// reissue renews a certificate under another authority, for the same key.
func reissue(t *testing.T, id *Identity, by *CA, bundle []byte) *Identity {
	t.Helper()
	csr, err := CSR(id.Key())
	if err != nil {
		t.Fatal(err)
	}
	cert, err := by.Sign(csr, id.NodeID, epoch, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	out, err := NewIdentity(cert, bundle, id.Key())
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func with(t *testing.T, id *Identity, bundle []byte) *Identity {
	t.Helper()
	out, err := id.WithAuthorities(bundle)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// While the authority changes, nodes of every step talk to each other: those
// that trust both, under the old certificate or the new.
func TestTwoAuthorities(t *testing.T) {
	older, newer := mustCA(t, cluster1), mustCA(t, cluster1)
	both := append(older.CertPEM(), newer.CertPEM()...)
	a, b := mustIssue(t, older, node1), mustIssue(t, older, node2)
	steps := []struct {
		name string
		a    *Identity
	}{
		{"old", a},
		{"trusts both", with(t, a, both)},
		{"renewed", reissue(t, a, newer, both)},
		{"the old one dropped", with(t, reissue(t, a, newer, both), newer.CertPEM())},
	}
	peers := []*Identity{b, with(t, b, both), reissue(t, b, newer, both), with(t, reissue(t, b, newer, both), newer.CertPEM())}
	for i, s := range steps {
		for j, p := range peers {
			_, srvErr, cliErr := handshake(t, ServerTLS(fixed(s.a), at(epoch)), ClientTLS(fixed(p), node1, at(epoch)))
			// Neighbouring steps exist at the same time, others never do.
			if near := i-j <= 1 && j-i <= 1; near && (srvErr != nil || cliErr != nil) {
				t.Errorf("%s with %s: server %v, client %v", s.name, steps[j].name, srvErr, cliErr)
			}
			if far := i-j > 2 || j-i > 2; far && srvErr == nil && cliErr == nil {
				t.Errorf("%s with %s: they trust each other", s.name, steps[j].name)
			}
		}
	}
	if got := reissue(t, a, newer, both); got.CAHash != newer.Hash() || !got.Trusts(a.Cert.Leaf) {
		t.Error("a renewed node does not name the new authority and trust the old one")
	}
	if got := with(t, reissue(t, a, newer, both), newer.CertPEM()); got.Trusts(a.Cert.Leaf) {
		t.Error("the dropped authority is trusted")
	}
	if _, err := a.WithAuthorities(newer.CertPEM()); err == nil {
		t.Error("an identity without its own authority was made")
	}
}

func TestIdentityKeepsBothAuthorities(t *testing.T) {
	older, newer := mustCA(t, cluster1), mustCA(t, cluster1)
	id := reissue(t, mustIssue(t, older, node1), newer, append(older.CertPEM(), newer.CertPEM()...))
	dir := t.TempDir()
	if err := SaveIdentity(dir, id); err != nil {
		t.Fatal(err)
	}
	back, err := LoadIdentity(dir)
	if err != nil {
		t.Fatal(err)
	}
	if back.CAHash != newer.Hash() || !back.CAPool.Equal(id.CAPool) {
		t.Errorf("read back with authority %s", back.CAHash)
	}
}

// A node that was away while the authority changed is known by its key, and by
// nothing else.
func TestRetiredAuthority(t *testing.T) {
	older, newer := mustCA(t, cluster1), mustCA(t, cluster1)
	away, other := mustIssue(t, older, node2), mustIssue(t, older, node2)
	server := mustIssue(t, newer, node1)
	recorded := func(nodeID, hash string) bool { return nodeID == node2 && hash == away.PublicKeyHash() }
	otherName := crossSigned(t, older, cluster2, node2)
	serverOnly := forgedIdentity(t, older, cluster1, node2)
	for _, tc := range []struct {
		name   string
		client *Identity
		opts   VerifyOptions
		want   error
	}{
		{"recorded key", away, VerifyOptions{Now: at(epoch).Now, AllowRetired: recorded}, nil},
		{"another key", other, VerifyOptions{Now: at(epoch).Now, AllowRetired: recorded}, ErrForeignCA},
		{"recorded key, expired as well", away, VerifyOptions{Now: at(epoch.Add(48 * time.Hour)).Now, AllowRetired: recorded}, ErrExpired},
		{"recorded key, both allowed", away, VerifyOptions{Now: at(epoch.Add(48 * time.Hour)).Now, AllowRetired: recorded, AllowExpired: recorded}, nil},
		{"not allowed at all", away, at(epoch), ErrForeignCA},
		{"another cluster's name", otherName, VerifyOptions{Now: at(epoch).Now, AllowRetired: allowAll}, ErrForeignCA},
		{"not meant for clients", serverOnly, VerifyOptions{Now: at(epoch).Now, AllowRetired: allowAll}, ErrForeignCA},
	} {
		cfg := ClientTLS(fixed(tc.client), "", at(epoch))
		cfg.VerifyConnection = nil
		cs, srvErr, _ := handshake(t, ServerTLS(fixed(server), tc.opts), cfg)
		if !errors.Is(srvErr, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, srvErr, tc.want)
		}
		if srvErr == nil && !CallerOf(&cs, server, epoch).Expired {
			t.Errorf("%s: the caller may do as much as one with a certificate of now", tc.name)
		}
	}
	// The other way round: who was away meets a cluster under another authority.
	known := func(nodeID, hash string) bool { return nodeID == node1 && hash == server.PublicKeyHash() }
	srv := ServerTLS(fixed(server), VerifyOptions{})
	srv.VerifyConnection = nil
	if _, _, err := handshake(t, srv, ClientTLS(fixed(away), node1, VerifyOptions{Now: at(epoch).Now, AllowRetired: known})); err != nil {
		t.Errorf("a node that was away does not know its cluster again: %v", err)
	}
	srv = ServerTLS(fixed(mustIssue(t, newer, node1)), VerifyOptions{})
	srv.VerifyConnection = nil
	if _, _, err := handshake(t, srv, ClientTLS(fixed(away), node1, VerifyOptions{Now: at(epoch).Now, AllowRetired: known})); !errors.Is(err, ErrForeignCA) {
		t.Errorf("an impostor of its cluster: %v", err)
	}
}

func TestJoinNamesAReplacedAuthority(t *testing.T) {
	older, newer := mustCA(t, cluster1), mustCA(t, cluster1)
	_, _, err := handshake(t, ServerTLS(fixed(mustIssue(t, newer, node1)), at(epoch)), JoinTLS(older.Hash(), cluster1, at(epoch)))
	if !errors.Is(err, ErrPinReplaced) || !errors.Is(err, ErrPinMismatch) {
		t.Errorf("a token of before: %v", err)
	}
	_, _, err = handshake(t, ServerTLS(fixed(mustIssue(t, mustCA(t, cluster2), node1)), at(epoch)), JoinTLS(older.Hash(), cluster1, at(epoch)))
	if errors.Is(err, ErrPinReplaced) || !errors.Is(err, ErrPinMismatch) {
		t.Errorf("a host of another cluster: %v", err)
	}
}
