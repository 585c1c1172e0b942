package agent

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/security"
)

// Pace of keeping this node's certificate, authorities and gossip keys.
const (
	renewEvery = time.Hour
	trustRetry = time.Second
	// trustTimeout bounds one try.
	trustTimeout = 10 * time.Second
	// trustQuiet is how long failures in a row are not worth a warning: at its
	// start a node finds no leader yet.
	trustQuiet = time.Minute
)

// trustWatch is what this node holds of the cluster's trust, and what the leader
// says that it should hold.
type trustWatch struct {
	wake chan struct{} // it should hold something else

	mu        sync.Mutex
	held      uint64
	wanted    uint64
	authority string // that should sign; "": not told
	renewal   bool   // the leader does not take this node's certificate
}

func (t *trustWatch) version() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.held
}

// want takes in the answer to a heartbeat that named held and who signed.
func (t *trustWatch) want(version uint64, authority string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	changed := version != t.wanted || authority != t.authority
	t.wanted, t.authority, t.renewal = version, authority, false
	if changed {
		t.poke()
	}
}

// refused takes in that a heartbeat failed. A leader that knows this node and
// not its certificate's authority answers so.
func (t *trustWatch) refused(err error) {
	var e *api.Error
	if !errors.As(err, &e) || e.Code != api.CodeForbidden {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.renewal {
		t.renewal = true
		t.poke()
	}
}

func (t *trustWatch) poke() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// due says what is to be done: a new certificate, which comes with all the rest,
// or the rest alone.
func (t *trustWatch) due(id *security.Identity, now time.Time) (certificate, rest bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	certificate = t.renewal || t.authority != "" && t.authority != id.CAHash || dueForRenewal(id.Cert.Leaf, now)
	return certificate, t.wanted != t.held && t.authority != ""
}

// holds notes what this node has on disk and uses.
func (t *trustWatch) holds(version uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.held, t.renewal = version, false
}

// keepTrust keeps this node's certificate young, and its authorities and gossip
// keys what the leader says, while the node runs.
func (m *member) keepTrust(ctx context.Context) {
	var failing time.Time // since when
	for ctx.Err() == nil {
		var wait time.Duration
		switch err := m.refreshTrust(ctx); {
		case err == nil:
			failing, wait = time.Time{}, untilRenewal(m.identity.Load().Cert.Leaf, time.Now())
		case failing.IsZero():
			failing, wait = time.Now(), trustRetry
		default:
			wait = trustRetry
			if time.Since(failing) > trustQuiet {
				m.log.Warn("this node's certificate and keys could not be renewed yet", "error", err)
				failing = time.Now()
			}
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-m.trust.wake:
		case <-t.C:
		}
		t.Stop()
	}
}

// refreshTrust does what is due.
func (m *member) refreshTrust(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, trustTimeout)
	defer cancel()
	switch certificate, rest := m.trust.due(m.identity.Load(), time.Now()); {
	case certificate:
		return m.renew(ctx)
	case rest:
		var t api.Trust
		if err := m.uplink.call(ctx, "/v1/node/trust", struct{}{}, &t); err != nil {
			return err
		}
		id, err := m.identity.Load().WithAuthorities(t.CA)
		if err != nil {
			return err
		}
		return m.hold(id, t)
	}
	return nil
}

// hold writes what a member is known by, then uses it.
func (m *member) hold(id *security.Identity, t api.Trust) error {
	if err := security.SaveIdentity(m.a.data.identityDir(), id); err != nil {
		return err
	}
	if err := m.a.data.writeTrust(t); err != nil {
		return err
	}
	m.identity.Store(id)
	if err := m.gossip.SetKeys(t.GossipKeys); err != nil {
		return err
	}
	m.trust.holds(t.Version)
	m.log.Info("this node holds the cluster's present keys", "version", t.Version, "authority", t.Authority)
	return nil
}
