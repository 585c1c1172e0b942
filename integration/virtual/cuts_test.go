package virtual

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/cluster"
)

// cutKind is a way in which a network fails, and for how long.
type cutKind struct {
	name  string
	hosts int
	// stage fails the network; alone are the hosts that reach no majority then.
	stage func(r *ring) (alone []*host)
	// on and off are how long the failure lasts and how long the network is well
	// after it, times how often that happens. Off is 0 for once.
	on, off time.Duration
	times   int
}

const cutTasks = 15

// cutKinds are all ways to fail. The lab stages each of them once on real hosts,
// for shorter times.
var cutKinds = []cutKind{
	{name: "one", hosts: 5, stage: func(r *ring) []*host { return r.isolate(r.worker()) }, on: time.Minute},
	{name: "a follower", hosts: 5, stage: func(r *ring) []*host { return r.isolate(r.follower()) }, on: time.Minute},
	{name: "the leader", hosts: 5, stage: func(r *ring) []*host { return r.isolate(r.leader()) }, on: time.Minute},
	{name: "a minority", hosts: 5, stage: func(r *ring) []*host { return r.isolate(r.follower(), r.worker()) }, on: time.Minute},
	{name: "a minority with the leader", hosts: 5, stage: func(r *ring) []*host { return r.isolate(r.leader(), r.worker()) }, on: time.Minute},
	{name: "a bridge", hosts: 3, stage: bridge, on: time.Minute},
	{name: "one way to a follower", hosts: 3, stage: func(r *ring) []*host { r.cut(r.leader(), r.follower()); return nil }, on: time.Minute},
	{name: "one way from a follower", hosts: 3, stage: func(r *ring) []*host { r.cut(r.follower(), r.leader()); return nil }, on: time.Minute},
	{name: "a follower hears nobody", hosts: 5, stage: func(r *ring) []*host { r.deafen(r.follower()); return nil }, on: time.Minute},
	{name: "nobody hears a follower", hosts: 5, stage: func(r *ring) []*host { r.mute(r.follower()); return nil }, on: time.Minute},
	{name: "the leader hears nobody", hosts: 5, stage: func(r *ring) []*host { r.deafen(r.leader()); return nil }, on: time.Minute},
	{name: "nobody hears the leader", hosts: 5, stage: func(r *ring) []*host { r.mute(r.leader()); return nil }, on: time.Minute},
	{name: "ten minutes", hosts: 5, stage: func(r *ring) []*host { return r.isolate(r.follower(), r.worker()) }, on: 10 * time.Minute},
	{name: "the leader for ten minutes", hosts: 5, stage: func(r *ring) []*host { return r.isolate(r.leader()) }, on: 10 * time.Minute},
	{name: "flapping worker", hosts: 5, stage: func(r *ring) []*host { return r.isolate(r.worker()) }, on: 3 * time.Second, off: 5 * time.Second, times: 10},
	{name: "flapping leader", hosts: 5, stage: func(r *ring) []*host { return r.isolate(r.leader()) }, on: 3 * time.Second, off: 5 * time.Second, times: 10},
	{name: "twenty disconnects", hosts: 5, stage: func(r *ring) []*host { return r.isolate(r.host(5)) }, on: 10 * time.Second, off: 30 * time.Second, times: 20},
	{name: "twenty disconnects of the leader", hosts: 5, stage: func(r *ring) []*host { return r.isolate(r.leader()) }, on: 20 * time.Second, off: 30 * time.Second, times: 20},
}

// healedIn is how soon after the end of a failure everything is right again.
const healedIn = 5 * time.Second

// TestEveryKindOfCut fails the network in every way. While it lasts the hosts
// that are alone answer at once, and say that they may be behind and why nothing
// can be changed; there are at most two elections. When it ends, the names, the
// members, the tasks and the tables are right within 5 s, and stay so.
func TestEveryKindOfCut(t *testing.T) {
	for _, kind := range cutKinds {
		t.Run(kind.name, func(t *testing.T) {
			bubble(t, kind.hosts, func(r *ring) {
				r.form()
				r.run(published(cutTasks))
				r.until(healedIn, r.whole(cutTasks))
				for i := range max(kind.times, 1) {
					r.failOnce(kind, i)
				}
				r.pause(time.Minute)
				r.until(0, r.whole(cutTasks))
			})
		})
	}
}

// failOnce stages the failure, and checks what it should not break.
func (r *ring) failOnce(kind cutKind, i int) {
	r.Helper()
	before, begun := r.log.elections(), time.Now()
	alone := kind.stage(r)
	if kind.on > 5*time.Second && len(alone) > 0 {
		r.pause(5 * time.Second) // until everybody knows
		r.answersAlone(alone)
	}
	if rest := kind.on - time.Since(begun); rest > 0 {
		r.pause(rest)
	}
	r.heal()
	limit := healedIn
	if kind.off > 0 && kind.off < limit {
		r.pause(kind.off) // it goes on before all can be well; the end of the last one counts
		if i < kind.times-1 {
			limit = -1
		}
	}
	if limit >= 0 {
		took := r.until(limit, r.whole(cutTasks))
		r.Logf("%s, time %d: whole %s after the heal", kind.name, i+1, took)
		for range 4 { // and stays so
			r.pause(max(kind.off-took, 12*time.Second) / 4)
			r.until(0, r.whole(cutTasks))
		}
	}
	if n := r.log.elections() - before; n > 2 {
		r.Errorf("%s, time %d: %d elections", kind.name, i+1, n)
	}
}

// isolate cuts hosts off from the others, and returns them.
func (r *ring) isolate(hosts ...*host) []*host {
	r.cutBoth(hosts, r.others(hosts...))
	return hosts
}

// bridge cuts the leader from one follower; both see the third.
func bridge(r *ring) []*host {
	r.cutBoth([]*host{r.leader()}, []*host{r.follower()})
	return nil
}

// deafen loses everything that is sent to the host, mute what it sends.
func (r *ring) deafen(h *host) {
	for _, o := range r.others(h) {
		r.cut(o, h)
	}
}

func (r *ring) mute(h *host) {
	for _, o := range r.others(h) {
		r.cut(h, o)
	}
}

// published is a service with a port on every node.
func published(replicas int) cluster.ServiceSpec {
	s := service(replicas)
	s.Template.Ports = []cluster.Port{{Target: 80, Published: 8080, Protocol: "tcp", Mode: cluster.Ingress}}
	return s
}

// whole reports whether all is as it was asked for: every node ready, the voters
// as many as they should be, one leader, each task once, and the same names,
// gossip and tables on every host.
func (r *ring) whole(tasks int) func() string {
	return all(r.ready(r.hosts...), r.voters(seats(len(r.hosts))), r.oneLeader(r.hosts, nil), r.running(tasks), r.sameWords(tasks))
}

// sameWords compares what each host goes by.
func (r *ring) sameWords(tasks int) func() string {
	return func() string {
		var names, ids []string
		for _, h := range r.hosts {
			names = append(names, h.name)
		}
		slices.Sort(names)
		running, err := r.well().tasks()
		if err != nil {
			return err.Error()
		}
		for _, t := range running {
			ids = append(ids, t.ID)
		}
		slices.Sort(ids)
		for _, h := range r.hosts {
			l, err := h.local()
			if err != nil {
				return err.Error()
			}
			if d := cmp.Diff(names, l.Members); d != "" {
				return fmt.Sprintf("members that %s was told of:\n%s", h.name, d)
			}
			if d := cmp.Diff(names, l.Heard); d != "" {
				return fmt.Sprintf("members that gossip calls alive on %s:\n%s", h.name, d)
			}
			if d := cmp.Diff(ids, l.Backends); d != "" || len(ids) != tasks {
				return fmt.Sprintf("the table of %s, %d tasks run:\n%s", h.name, len(ids), d)
			}
		}
		return ""
	}
}
