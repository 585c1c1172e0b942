package agent

import (
	"context"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/security"
)

// dueForRenewal reports whether less than a third of a certificate's life is
// left: early enough for a cluster that is without a leader for months.
func dueForRenewal(cert *x509.Certificate, now time.Time) bool {
	life := cert.NotAfter.Sub(cert.NotBefore)
	return cert.NotAfter.Sub(now) < life/3
}

// untilRenewal is when to look again: the clock may step meanwhile.
func untilRenewal(cert *x509.Certificate, now time.Time) time.Duration {
	due := cert.NotAfter.Add(-cert.NotAfter.Sub(cert.NotBefore) / 3)
	return min(renewEvery, max(trustRetry, due.Sub(now)+trustRetry))
}

// renew gets a new certificate for the key that the cluster has recorded. New
// connections use it; what runs on open ones goes on.
func (m *member) renew(ctx context.Context) error {
	old := m.identity.Load()
	csr, err := security.CSR(old.Key())
	if err != nil {
		return err
	}
	var out api.Renewed
	if err := m.uplink.call(ctx, "/v1/node/renew", api.Renew{CSR: csr}, &out); err != nil {
		return err
	}
	authorities := old.CAPEM()
	if out.Trust != nil {
		authorities = out.Trust.CA
	}
	id, err := security.NewIdentity(out.Certificate, authorities, old.Key())
	if err != nil {
		return err
	}
	if out.Trust == nil { // of a leader that rotates nothing yet
		err = security.SaveIdentity(m.a.data.identityDir(), id)
		m.identity.Store(id)
	} else {
		err = m.hold(id, *out.Trust)
	}
	if err != nil {
		return fmt.Errorf("keep the new certificate: %w", err)
	}
	m.peers.Redial()
	m.log.Info("this node's certificate was renewed", "until", id.Cert.Leaf.NotAfter, "authority", id.CAHash)
	return nil
}
