package gossip

import (
	"context"
	"sync"
	"time"
)

// rejoinPoll is how soon a change of the known peers is noticed.
const rejoinPoll = 5 * time.Second

// rejoin does what [NextRejoin] says until ctx ends.
func (g *Gossip) rejoin(ctx context.Context, state RejoinState) {
	for {
		now := time.Now()
		plan := NextRejoin(g.peers(), g.dir.list(), now, state)
		state = plan.State
		g.dial(plan.Dial)

		pause := rejoinPoll
		if !plan.Wake.IsZero() {
			pause = min(pause, max(time.Until(plan.Wake), 0))
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-g.leaving:
		case <-g.dir.rejoin:
		case <-timer.C:
		}
		timer.Stop()
		if ctx.Err() != nil || g.isLeaving() {
			return
		}
	}
}

// PeersChanged has the loop look at once at what [Config].Peers returns now.
func (g *Gossip) PeersChanged() { g.dir.wakeRejoin() }

// Meet contacts a peer that was just found to answer, and returns at once. It
// is for a node that was cut off: the rejoin loop may have become slow to try,
// or wait for a connection that it began before.
func (g *Gossip) Meet(p Peer) {
	select {
	case g.meet <- p:
	default: // one is on its way, and brings the same
	}
}

func (g *Gossip) meetings(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-g.leaving:
			return
		case p := <-g.meet:
			g.dial([]Peer{p})
			// The peer passes on that this member is back; so does this one, and
			// then everybody who hears it: from the peer alone it may miss some.
			g.announce()
		}
	}
}

// dial tries the peers side by side, so that a dead one does not delay the rest.
func (g *Gossip) dial(peers []Peer) {
	var wg sync.WaitGroup
	for _, p := range peers {
		wg.Go(func() {
			if _, err := g.Join([]string{p.Addr}); err != nil {
				g.log.Debug("peer does not answer", "node", p.ID, "addr", p.Addr, "error", err)
				return
			}
			g.log.Debug("peer answered", "node", p.ID, "addr", p.Addr)
		})
	}
	wg.Wait()
}
