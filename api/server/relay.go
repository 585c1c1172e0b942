package server

import (
	"context"
	"errors"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/security"
)

// hopsHeader counts how often a call was relayed: worker to voter to leader is
// two, more means that nodes disagree about who leads.
const (
	hopsHeader = "Muster-Hops"
	maxHops    = 2
)

func (c *call) hops() int {
	n, err := strconv.Atoi(c.r.Header.Get(hopsHeader))
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// isLeader reports whether this node leads now.
func (c *call) isLeader() bool { return c.Nodes.LeaderID() == c.Self }

// relayTo picks the node that should answer instead of this one.
func (c *call) relayTo() (cluster.NodeID, bool) {
	l := c.Nodes.LeaderID()
	switch {
	case l == c.Self || c.hops() >= maxHops:
		return "", false
	case c.hops() > 0: // whoever passed it on to here has asked the others
		return l, l != "" && c.reachable(l, hopLimit)
	}
	return c.seek(l)
}

// reachable asks the node's liveness route, so that a dead leader does not
// cost every call its full time-out.
func (c *call) reachable(id cluster.NodeID, limit time.Duration) bool {
	ctx, cancel := context.WithTimeout(c.ctx, limit)
	defer cancel()
	return c.health(ctx, id) != nil
}

// health is what a node's liveness route answers, nil for no answer.
func (c *call) health(ctx context.Context, id cluster.NodeID) *api.Health {
	var h api.Health
	if c.Peers.Call(ctx, id, http.MethodGet, "/healthz", nil, &h) != nil {
		return nil
	}
	return &h
}

// servable says why this node cannot serve the call itself, which it was not
// able to pass on.
func (c *call) servable(rt route) error {
	// What a user is told of a thing that a change is for ("there is no such
	// service") is a read, too.
	if c.isLeader() && (rt.access != security.LocalAdmin || c.confirmed()) {
		return nil
	}
	_, voter := c.State.View()
	if rt.where == fresh && voter {
		c.stale = true
		c.w.Header().Set(api.StaleHeader, "true")
		return nil
	}
	err := api.Errorf(api.CodeUnavailable, "this node reaches no voter of the cluster").
		WithHint("check the network to the voters; its containers run on meanwhile")
	if voter {
		err = api.Errorf(api.CodeNoQuorum, "the cluster has no leader that this node can reach, so nothing can be changed").
			WithHint("it goes on by itself when a majority of the voters is back; `muster status` shows them")
	}
	err.Lasting = c.Nodes.Leaderless() > electionTakes
	return err
}

// electionTakes bounds how long a cluster is without a leader when one dies: what
// lasts longer does not pass while a user waits.
const electionTakes = 5 * time.Second

// confirmLimit is how long a read waits for the voters' word that this node
// leads; after that it is answered as one without a leader.
const confirmLimit = 500 * time.Millisecond

// confirmed reports whether this node leads beyond doubt: one that was replaced
// a moment ago, and has not heard, must not answer as if nothing had been changed.
func (c *call) confirmed() bool {
	ctx, cancel := context.WithTimeout(c.ctx, confirmLimit)
	defer cancel()
	return c.State.Confirm(ctx) == nil
}

// relay passes the call to another node and its answer back.
func (c *call) relay(to cluster.NodeID, rt route) error {
	ctx, release := c.ctx, func() {}
	if rt.readsAgain() {
		ctx, release = c.whileReachable(to)
	}
	defer release()
	var failed error
	proxy := &httputil.ReverseProxy{
		Rewrite: func(pr *httputil.ProxyRequest) {
			pr.SetURL(&url.URL{Scheme: "https", Host: string(to)})
			pr.Out.Header.Set(hopsHeader, strconv.Itoa(c.hops()+1))
			pr.Out.Header.Set(speakerHeader, string(c.speaker()))
		},
		Transport:     c.Peers.Transport(to, rt.stream),
		FlushInterval: -1,
		ErrorHandler: func(_ http.ResponseWriter, _ *http.Request, err error) {
			failed = err
		},
	}
	proxy.ServeHTTP(newPatient(c.w), c.r.WithContext(ctx))
	return c.notRelayed(to, failed)
}

// notRelayed says why a call did not get there, or its answer not back; nothing
// of one was passed on.
func (c *call) notRelayed(to cluster.NodeID, failed error) error {
	var tooLarge *http.MaxBytesError
	switch {
	case failed == nil:
		return nil
	case errors.As(failed, &tooLarge):
		return decoded(failed)
	}
	if c.r.Method == http.MethodGet {
		return api.Errorf(api.CodeUnavailable, "pass the call on to node %s: %v", to, failed).WithHint("try again")
	}
	return api.Errorf(api.CodeUnknown, "pass the call on to node %s: %v; it may or may not have taken effect", to, failed).
		WithHint("`muster ls` shows what is; sending it again is safe")
}

// readsAgain reports whether a call that was passed on in vain can be served here
// after all.
func (rt route) readsAgain() bool {
	return rt.where == fresh && !rt.stream && strings.HasPrefix(rt.pattern, http.MethodGet+" ")
}

// whileReachable is a context that ends when the node does not answer any more: a
// call that was passed on right before a link was cut is not waited for until the
// connection breaks.
func (c *call) whileReachable(id cluster.NodeID) (ctx context.Context, release func()) {
	ctx, cancel := context.WithCancel(c.ctx)
	var watch sync.WaitGroup
	watch.Go(func() {
		t := time.NewTicker(hedgeAfter)
		defer t.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-t.C:
			}
			if !c.reachable(id, hopLimit) {
				cancel()
				return
			}
		}
	})
	return ctx, func() { cancel(); watch.Wait() }
}
