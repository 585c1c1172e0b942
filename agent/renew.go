package agent

import (
	"context"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/security"
)

// Pace of renewing this node's certificate.
const (
	renewEvery = time.Hour
	renewRetry = time.Minute
)

// dueForRenewal reports whether less than a third of a certificate's life is
// left: early enough for a cluster that is without a leader for months.
func dueForRenewal(cert *x509.Certificate, now time.Time) bool {
	life := cert.NotAfter.Sub(cert.NotBefore)
	return cert.NotAfter.Sub(now) < life/3
}

// keepCertificate renews this node's certificate while the node runs.
func (m *member) keepCertificate(ctx context.Context) {
	for ctx.Err() == nil {
		wait := renewEvery
		if dueForRenewal(m.identity.Load().Cert.Leaf, time.Now()) {
			if err := m.renew(ctx); err != nil {
				m.log.Warn("this node's certificate could not be renewed yet", "error", err)
				wait = renewRetry
			}
		}
		sleep(ctx, wait)
	}
}

// renew gets a new certificate for the key that the cluster has recorded. New
// connections use it; open ones are as good as before.
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
	id, err := security.NewIdentity(out.Certificate, old.CAPEM(), old.Key())
	if err != nil {
		return err
	}
	if err := security.SaveIdentity(m.a.data.identityDir(), id); err != nil {
		return fmt.Errorf("keep the new certificate: %w", err)
	}
	m.identity.Store(id)
	m.log.Info("this node's certificate was renewed", "until", id.Cert.Leaf.NotAfter)
	return nil
}
