package agent

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/musterhq/muster/cluster"
)

// Pace of finding a way to the leader.
const (
	// askAnother is when a call that got no answer goes to another voter as well.
	askAnother = 300 * time.Millisecond
	// quickFor is for how long the voter that answered is asked first.
	quickFor = 5 * time.Second
)

// call posts to the leader. While no answer comes it asks other voters besides
// to pass the call on, so that a cut link costs less than a heartbeat: what is
// said here may arrive twice.
func (u *uplink) call(ctx context.Context, path string, in, out any) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	leader := u.m.LeaderID()
	ways := u.ways(leader)
	if len(ways) == 0 {
		return errNoVoter
	}
	askFirst := func() answer { return u.ask(ctx, ways[0], path, in, out != nil) }
	askOthers := func() answer {
		a := u.askOthers(ctx, leader, ways[1:], path, in, out != nil)
		if a.settles(leader) {
			cancel() // the first is waited for no longer
		}
		return a
	}
	var a answer
	switch {
	case len(ways) == 1:
		a = askFirst()
	case ways[0] == u.m.self: // which leads: others would only pass the call back
		if a = askFirst(); !a.settles(leader) {
			a = askOthers()
		}
	default:
		others := make(chan answer, 1)
		late := time.AfterFunc(askAnother, func() { others <- askOthers() })
		a = askFirst() // from here: a goroutine for it costs a host at rest more than the call
		switch unasked := late.Stop(); {
		case !a.settles(leader) && unasked:
			a = askOthers()
		case !a.settles(leader):
			a = <-others
		case !unasked:
			cancel()
			<-others
		}
	}
	if a.settles(leader) {
		u.answeredBy(a.by)
	}
	return a.into(out)
}

// askOthers asks one after the other, without waiting long for any, until one
// settles the call, and returns that answer, or else the last.
func (u *uplink) askOthers(ctx context.Context, leader cluster.NodeID, ways []cluster.NodeID, path string, in any, wanted bool) (a answer) {
	ctx, cancel := context.WithCancel(ctx)
	var asked sync.WaitGroup
	defer asked.Wait()
	defer cancel()
	answers := make(chan answer, len(ways))
	for open := 0; len(ways) > 0 || open > 0; {
		var another <-chan time.Time
		if len(ways) > 0 {
			by := ways[0]
			ways = ways[1:]
			open++
			asked.Go(func() { answers <- u.ask(ctx, by, path, in, wanted) })
			another = time.After(askAnother)
		}
		select {
		case <-ctx.Done():
			return answer{err: ctx.Err()}
		case <-another:
		case a = <-answers:
			open--
			if a.settles(leader) {
				return a
			}
		}
	}
	return a
}

// answer is what a voter said to a call.
type answer struct {
	by   cluster.NodeID
	body json.RawMessage
	err  error
}

// settles reports whether a call is over with this answer: what another voter
// refuses, the leader may not.
func (a answer) settles(leader cluster.NodeID) bool {
	return a.err == nil || a.by == leader && isAnswer(a.err)
}

func (u *uplink) ask(ctx context.Context, by cluster.NodeID, path string, in any, wanted bool) answer {
	a := answer{by: by}
	if wanted {
		a.err = u.m.peers.Beat(ctx, by, path, in, &a.body)
	} else {
		a.err = u.m.peers.Beat(ctx, by, path, in, nil)
	}
	return a
}

func (a answer) into(out any) error {
	if a.err != nil || out == nil || len(a.body) == 0 {
		return a.err
	}
	return json.Unmarshal(a.body, out)
}

// ways are the nodes to send a call to, best first: the leader, unless another
// voter was quicker lately.
func (u *uplink) ways(leader cluster.NodeID) []cluster.NodeID {
	var out []cluster.NodeID
	if leader != "" {
		out = append(out, leader)
	}
	for _, id := range u.m.voters() {
		if id != leader && id != u.m.self {
			out = append(out, id)
		}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if i := slices.Index(out, u.quick); i > 0 && time.Now().Before(u.quickTo) {
		out[0], out[i] = out[i], out[0]
	}
	return out
}

// answeredBy remembers who was quickest, for a while.
func (u *uplink) answeredBy(id cluster.NodeID) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.quick != id || !time.Now().Before(u.quickTo) {
		u.quick, u.quickTo = id, time.Now().Add(quickFor)
	}
}
