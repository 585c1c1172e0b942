package controller

import (
	"context"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// Keys makes what a rotation brings in.
type Keys interface {
	// NewGossipKey makes a key and seals it.
	NewGossipKey() (cluster.Sealed, error)
	// AuthorityHash is how heartbeats name an authority.
	AuthorityHash(caPEM []byte) (string, error)
}

// Pace of rotations.
const (
	rotationEvery = time.Second
	// rotationRetry is when a rotation that could not begin is tried again: a
	// voter may be of a version that does not know of it.
	rotationRetry = time.Minute
	// rotationPatience is how long an authority that signs no more is kept for
	// nodes that are not there to renew their certificates. One that comes back
	// later is known by its recorded key, for long enough to renew.
	rotationPatience = 7 * 24 * time.Hour
)

// rotation is what a rotation of keys needs next.
type rotation struct {
	begin bool // a new gossip key is due
	step  state.StepRotation
	// lagging are the ready nodes that do not hold yet what they must.
	lagging []cluster.NodeID
}

// rotate finds the next step. A step is taken when every ready node has said in
// a heartbeat that it holds what the step before brought, so that no node is
// left without the key or authority of another. A node that is not ready gets
// everything at once when it is back, and holds up only the end of an authority.
func rotate(v state.View, heard map[cluster.NodeID]api.Heartbeat, authority string, now time.Time, period time.Duration) rotation {
	id, ok := v.Cluster()
	if !ok {
		return rotation{}
	}
	var r rotation
	absent := false
	for n := range v.Nodes() {
		h, known := heard[n.ID]
		switch {
		case n.Condition != cluster.Ready:
			absent = true
		case !known, h.Trust != id.Trust, id.CARotation != nil && h.Authority != authority:
			r.lagging = append(r.lagging, n.ID)
		}
	}
	old := period > 0 && now.Sub(id.EncryptsSince()) >= period
	r.begin = id.GossipRotation == nil && (old || id.GossipExposed)
	held := len(r.lagging) == 0
	r.step.Trust = id.Trust
	r.step.Gossip = held && id.GossipRotation != nil
	if c := id.CARotation; c != nil && held {
		r.step.CA = c.Phase == cluster.Install || !absent || now.Sub(c.Since) >= rotationPatience
	}
	return r
}

// rotateOnce takes the next step, if there is one, and says when to look again.
func (l *loop) rotateOnce(ctx context.Context) time.Duration {
	r := l.nextRotation(l.cfg.Store.View())
	var body state.Body
	switch {
	case r.step.CA || r.step.Gossip:
		body = r.step
	case r.begin:
		key, err := l.cfg.Keys.NewGossipKey()
		if err != nil {
			l.cfg.Logger.Warn("a new gossip key could not be made", "error", err)
			return rotationRetry
		}
		body = state.RotateGossip{Key: key}
	default:
		return rotationEvery
	}
	ctx, cancel := context.WithTimeout(ctx, proposeTimeout)
	defer cancel()
	res, err := l.cfg.Store.Propose(ctx, state.Command{At: time.Now(), Body: body})
	if err == nil && res.Err != nil {
		err = res.Err
	}
	switch {
	case err == nil:
	case l.ctx.Err() != nil:
		return rotationEvery
	default:
		l.cfg.Logger.Warn("a rotation of keys could not go on yet", "error", err)
		return rotationRetry
	}
	l.cfg.Logger.Info("rotating keys", "authority", r.step.CA, "gossip", r.step.Gossip || r.begin)
	return rotationEvery
}

// nextRotation steps the rotation on what was heard last.
func (c *Controller) nextRotation(v state.View) rotation {
	if c.cfg.Keys == nil {
		return rotation{}
	}
	var authority string
	if id, _ := v.Cluster(); id.CARotation != nil { // else nobody asks, and a certificate takes time to read
		var err error
		if authority, err = c.cfg.Keys.AuthorityHash(id.CA); err != nil {
			c.cfg.Logger.Error("the certificate authority in the state cannot be read", "error", err)
			return rotation{}
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return rotate(v, c.heard, authority, time.Now(), c.cfg.KeyPeriod)
}

// Lagging are the ready nodes that a rotation waits for.
func (c *Controller) Lagging() []cluster.NodeID { return c.nextRotation(c.cfg.Store.View()).lagging }
