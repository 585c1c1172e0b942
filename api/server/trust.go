package server

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
	"github.com/musterhq/muster/security"
)

// trust is what every node must hold, as the state has it.
func (c *call) trust(v state.View) (api.Trust, error) {
	id, _ := v.Cluster()
	keys, err := c.Trust.GossipKeys(id)
	if err != nil {
		return api.Trust{}, fmt.Errorf("open the gossip keys: %w", err)
	}
	t := api.Trust{Version: id.Trust, CA: id.CA, Authority: c.s.authorities.hash(id.CA), GossipKeys: keys}
	if r := id.CARotation; r != nil {
		t.CA = slices.Concat(id.CA, r.CA)
	}
	return t, nil
}

// nodeTrust hands the authorities and the gossip keys to a member.
func nodeTrust(c *call) (any, error) {
	v, _ := c.State.View()
	return c.trust(v)
}

// getTrust shows people the authorities and the keys, without the keys.
func getTrust(c *call) (any, error) {
	v, _ := c.State.View()
	id, _ := v.Cluster()
	out := api.TrustStatus{Version: id.Trust, Waiting: []string{}}
	signs, err := presentAuthority(id.CA, api.TrustInUse, id.SignsSince())
	if err != nil {
		return nil, err
	}
	out.Authorities = []api.Authority{signs}
	if r := id.CARotation; r != nil {
		other, err := presentAuthority(r.CA, roleOf(r.Phase), r.Since)
		if err != nil {
			return nil, err
		}
		out.Authorities = append(out.Authorities, other)
	}
	out.GossipKeys = []api.GossipKey{{Role: api.TrustInUse, Since: id.EncryptsSince()}}
	if r := id.GossipRotation; r != nil {
		out.GossipKeys = append(out.GossipKeys, api.GossipKey{Role: roleOf(r.Phase), Since: r.Since})
	}
	out.Waiting = append(out.Waiting, c.lagging(v)...)
	return out, nil
}

// lagging are the names of the nodes that a rotation waits for.
func (c *call) lagging(v state.View) []string {
	var out []string
	id, _ := v.Cluster()
	if id.CARotation == nil && id.GossipRotation == nil {
		return nil
	}
	for _, node := range c.Leader.Lagging() {
		if n, ok := v.Node(node); ok {
			out = append(out, n.Name)
		}
	}
	return out
}

func roleOf(p cluster.RotationPhase) string {
	if p == cluster.Install {
		return api.TrustNext
	}
	return api.TrustLast
}

func presentAuthority(caPEM []byte, role string, since time.Time) (api.Authority, error) {
	hash, err := security.CAHash(caPEM)
	return api.Authority{Hash: hash, Role: role, Since: since}, err
}

func rotateCA(c *call) (any, error) {
	cert, key, err := c.Trust.NewAuthority()
	if err != nil {
		return nil, err
	}
	if _, err := c.propose("", state.RotateCA{CA: cert, Key: key}); err != nil {
		return nil, err
	}
	return getTrust(c)
}

func rotateGossipKey(c *call) (any, error) {
	key, err := c.Trust.NewGossipKey()
	if err != nil {
		return nil, err
	}
	if _, err := c.propose("", state.RotateGossip{Key: key}); err != nil {
		return nil, err
	}
	return getTrust(c)
}

// rotationLate is how long a step of a rotation takes at most when all is well.
const rotationLate = time.Minute

// rotationProblems say whom a rotation waits for.
func (c *call) rotationProblems(v state.View) []string {
	id, _ := v.Cluster()
	var since time.Time
	switch {
	case id.CARotation != nil:
		since = id.CARotation.Since
	case id.GossipRotation != nil:
		since = id.GossipRotation.Since
	}
	if since.IsZero() || time.Since(since) < rotationLate {
		return nil
	}
	var out []string
	for _, name := range c.lagging(v) {
		out = append(out, fmt.Sprintf("node %s does not hold the new keys: their rotation waits for it", name))
	}
	return out
}

// authorityHash remembers the hash of the authority that signs, which every
// heartbeat asks for.
type authorityHash struct {
	mu  sync.Mutex
	pem []byte
	is  string
}

func (a *authorityHash) hash(caPEM []byte) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !bytes.Equal(a.pem, caPEM) {
		is, err := security.CAHash(caPEM)
		if err != nil {
			return ""
		}
		a.pem, a.is = caPEM, is
	}
	return a.is
}
