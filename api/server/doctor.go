package server

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/doctor"
)

const (
	// examineAtOnce is how many nodes are looked at at a time.
	examineAtOnce = 32
	// factsFor and reachFor bound what one node may take: it measures its disk
	// and asks its engine, then dials others in vain.
	factsFor = 12 * time.Second
	reachFor = 25 * time.Second
	// maxEcho bounds what is sent back.
	maxEcho = 64 << 10
)

// doctorLocal judges this host alone, member or not, and with ?to= the way from
// it to another host.
func doctorLocal(c *call) (any, error) {
	f := c.s.agent.Facts(c.ctx)
	out := doctor.Host(f)
	if to := c.r.URL.Query().Get("to"); to != "" {
		out = append(out, doctor.Ways(f.Name, f.Address, []api.Way{c.s.agent.Approach(c.ctx, to)})...)
	}
	return out, nil
}

// doctorAll judges every node and the ways between them.
func doctorAll(c *call) (any, error) {
	members := slices.SortedFunc(slices.Values(c.Nodes.Members()), func(a, b api.Member) int { return cmp.Compare(a.Name, b.Name) })
	seen := make([]examined, len(members))
	c.each(members, func(i int, m api.Member) { seen[i] = c.examine(m) })
	c.each(members, func(i int, m api.Member) {
		if seen[i].err == nil {
			seen[i].ways, seen[i].waysErr = c.tryWays(m, members, seen, i)
		}
	})
	out := []api.Finding{}
	for i, p := range seen {
		name := members[i].Name
		if p.err != nil {
			out = append(out, doctor.NoAnswer(name, p.err.Error()))
			continue
		}
		p.facts.Name = name
		out = append(out, doctor.Host(p.facts)...)
		if p.waysErr != nil {
			out = append(out, doctor.NoAnswer(name, p.waysErr.Error()))
		}
		out = append(out, doctor.Ways(name, members[i].Address, p.ways)...)
	}
	return out, nil
}

// examined is what was learnt of one node.
type examined struct {
	facts   api.HostFacts
	err     error // it could not be asked
	ways    []api.Way
	waysErr error
}

// each runs f for all members, some at a time.
func (c *call) each(members []api.Member, f func(int, api.Member)) {
	var wg sync.WaitGroup
	places := make(chan struct{}, examineAtOnce)
	for i, m := range members {
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			f(i, m)
		})
	}
	wg.Wait()
}

func (c *call) examine(m api.Member) (p examined) {
	if m.ID == c.Self {
		p.facts = c.s.agent.Facts(c.ctx)
		return p
	}
	ctx, cancel := context.WithTimeout(c.ctx, factsFor)
	defer cancel()
	p.err = c.Peers.Call(ctx, m.ID, http.MethodPost, "/v1/node/facts", nil, &p.facts)
	return p
}

// tryWays has a node try its ways to the others. Those that do not answer are
// tried as well: that is where the trouble is.
func (c *call) tryWays(m api.Member, members []api.Member, seen []examined, i int) ([]api.Way, error) {
	var in api.Reach
	for _, j := range doctor.Neighbours(len(members), i) {
		in.Targets = append(in.Targets, api.Target{ID: members[j].ID, SamplePort: seen[j].facts.SamplePort})
	}
	ctx, cancel := context.WithTimeout(c.ctx, reachFor)
	defer cancel()
	if m.ID == c.Self {
		return c.Local.Reach(ctx, in.Targets), nil
	}
	var out []api.Way
	err := c.Peers.Call(ctx, m.ID, http.MethodPost, "/v1/node/reach", in, &out)
	return out, err
}

func nodeFacts(c *call) (any, error) { return c.s.agent.Facts(c.ctx), nil }

// maxTargets bounds the ways of one call.
const maxTargets = 64

func nodeReach(c *call) (any, error) {
	var in api.Reach
	if err := c.decodePeer(&in); err != nil {
		return nil, err
	}
	if len(in.Targets) > maxTargets {
		return nil, api.Errorf(api.CodeInvalid, "%d ways are too many for one call", len(in.Targets))
	}
	for _, t := range in.Targets { // only members are dialled: this is no port scanner
		if !slices.ContainsFunc(c.Nodes.Members(), func(m api.Member) bool { return m.ID == t.ID }) {
			return nil, api.Errorf(api.CodeNotFound, "%s is no member", t.ID)
		}
		if t.SamplePort < 0 || t.SamplePort > 65535 || t.SamplePort > 0 && t.SamplePort < 1024 {
			return nil, api.Errorf(api.CodeInvalid, "%d is no port for a sample", t.SamplePort)
		}
	}
	return c.Local.Reach(c.ctx, in.Targets), nil
}

func nodeEcho(c *call) (any, error) {
	c.r.Body = http.MaxBytesReader(c.w, c.r.Body, 2*maxEcho)
	var in api.Echo
	if err := c.decodePeer(&in); err != nil {
		return nil, err
	}
	return api.Echo{At: time.Now(), Pad: in.Pad}, nil
}
