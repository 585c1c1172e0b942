package security

import (
	"bytes"
	"testing"
)

// What lies in the data directory, or comes with a request to join, may be
// anything.
func FuzzKeysAndCertificates(f *testing.F) {
	ca := mustCA(f, cluster1)
	id := mustIssue(f, ca, node1)
	file, err := id.marshal()
	if err != nil {
		f.Fatal(err)
	}
	csr, err := CSR(id.Key())
	if err != nil {
		f.Fatal(err)
	}
	key, err := ca.MarshalKey()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(file, key)
	f.Add(ca.CertPEM(), key)
	f.Add(csr, []byte(NewClusterKey().ID()))
	f.Add(bytes.ReplaceAll(file, []byte("CERTIFICATE"), []byte("PRIVATE KEY")), csr)
	f.Fuzz(func(t *testing.T, a, b []byte) {
		if id, err := unmarshalIdentity(a); err == nil {
			again, err := id.marshal()
			if err != nil {
				t.Fatalf("an identity that was read cannot be written: %v", err)
			}
			if back, err := unmarshalIdentity(again); err != nil || back.PublicKeyHash() != id.PublicKeyHash() {
				t.Errorf("written and read again: %v", err)
			}
		}
		if req, err := ParseCSR(a); err == nil {
			PublicKeyHash(req)
			if _, err := ca.Sign(a, node2, epoch, 1); err != nil {
				t.Errorf("a request that is right is not signed: %v", err)
			}
		}
		_, _ = ParseCA(a, b)
		_, _ = CAHash(a)
		_, _ = ParseClusterKey(b)
		sealed := Sealed{Key: string(a), Nonce: b, Ciphertext: a}
		if _, err := Open(NewClusterKey(), sealed, b); err == nil {
			t.Error("a sealed value of another key opens")
		}
	})
}
