package virtual

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
)

var (
	chaosRuns = flag.Int("chaos", 4, "how many runs of disturbances to make")
	chaosSeed = flag.Uint64("seed", 1, "the first one's seed; it repeats what is done, not how the agents take it")
)

// TestChaos disturbs a cluster for a while in every way that there is, and then
// leaves it alone: all that was acknowledged must be there, and run.
func TestChaos(t *testing.T) {
	for i := range *chaosRuns {
		seed := *chaosSeed + uint64(i)
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			bubble(t, 6, func(r *ring) {
				r.form()
				r.run(service(9))
				c := &chaos{ring: r, rand: rand.New(rand.NewPCG(seed, seed)), replicas: []int{9}}
				for range 60 {
					c.disturb()
					r.pause(time.Duration(200+c.rand.IntN(3000)) * time.Millisecond)
				}
				c.calm()
				r.until(2*time.Minute, all(r.ready(r.hosts...), r.voters(3), c.kept(), r.stackRuns()))
				r.pause(time.Minute)
				r.until(0, all(r.ready(r.hosts...), r.voters(3), c.kept(), r.stackRuns(), r.everybodyAgrees()))
			})
		})
	}
}

// chaos is a run of disturbances.
type chaos struct {
	*ring
	rand *rand.Rand
	// replicas are the numbers that the service may have: the one that was
	// acknowledged last, and those that were asked for since.
	replicas []int
	changes  int
}

// disturb does one thing that is possible now.
func (c *chaos) disturb() {
	what := []func() string{
		c.killHost, c.bootHost, c.bootHost, c.killAgent, c.startAgent, c.startAgent,
		c.cutLink, c.cutLink, c.isolate, c.healAll, c.healAll, c.rescale, c.rescale, c.update, c.drain, c.activate, c.activate,
	}
	for {
		if did := what[c.rand.IntN(len(what))](); did != "" {
			c.logger("chaos").Info(did)
			return
		}
	}
}

func (c *chaos) pick(of []*host) *host {
	if len(of) == 0 {
		return nil
	}
	return of[c.rand.IntN(len(of))]
}

func (c *chaos) dead() []*host {
	return slices.DeleteFunc(slices.Clone(c.hosts), func(h *host) bool { return h.alive })
}

// agentless are hosts that live without an agent.
func (c *chaos) agentless() []*host {
	return slices.DeleteFunc(slices.Clone(c.hosts), func(h *host) bool { return !h.alive || !h.agent.killed })
}

func (c *chaos) killHost() string {
	if h := c.pick(c.up()); h != nil && len(c.dead()) < 2 {
		kill(h)
		return "killed host " + h.name
	}
	return ""
}

func (c *chaos) bootHost() string {
	if h := c.pick(c.dead()); h != nil {
		boot(h)
		return "booted host " + h.name
	}
	return ""
}

func (c *chaos) killAgent() string {
	if h := c.pick(c.up()); h != nil && len(c.agentless()) < 3 {
		h.killAgent()
		return "killed the agent of " + h.name
	}
	return ""
}

func (c *chaos) startAgent() string {
	if h := c.pick(c.agentless()); h != nil {
		h.start()
		return "started the agent of " + h.name
	}
	return ""
}

func (c *chaos) cutLink() string {
	a, b := c.pick(c.hosts), c.pick(c.hosts)
	if a == b {
		return ""
	}
	c.cut(a, b)
	if c.rand.IntN(3) == 0 {
		return "cut the link from " + a.name + " to " + b.name
	}
	c.cut(b, a)
	return "cut the link between " + a.name + " and " + b.name
}

func (c *chaos) isolate() string {
	h := c.pick(c.hosts)
	c.cutBoth([]*host{h}, c.others(h))
	return "cut off " + h.name
}

func (c *chaos) healAll() string {
	c.heal()
	return "healed all links"
}

// change asks a host for something, for a short while only.
func (c *chaos) change(what, method, path string, in any) (did string, ok bool) {
	h := c.pick(c.up())
	if h == nil {
		return "", false
	}
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Second)
	defer cancel()
	_, err := ask[any](ctx, h, method, path, in)
	return fmt.Sprintf("%s through %s: %v", what, h.name, err), err == nil
}

func (c *chaos) rescale() string {
	n := 3 + c.rand.IntN(15)
	c.replicas = append(c.replicas, n)
	did, ok := c.change(fmt.Sprintf("scale to %d", n), http.MethodPost, "/v1/services/app/web/scale", api.Scale{Replicas: n, Request: ulid.Make().String()})
	if ok {
		c.replicas = []int{n}
	}
	return did
}

func (c *chaos) update() string {
	c.changes++
	n := 3 + c.rand.IntN(15)
	c.replicas = append(c.replicas, n)
	spec := service(n)
	spec.Template.Container.Env = map[string]string{"CHANGE": fmt.Sprint(c.changes)}
	did, ok := c.change(fmt.Sprintf("update %d to %d tasks", c.changes, n), http.MethodPut, "/v1/stacks/app", api.Deploy{
		Services: []api.NamedSpec{{Name: "web", Spec: spec}}, Request: ulid.Make().String(),
	})
	if ok {
		c.replicas = []int{n}
	}
	return did
}

func (c *chaos) drain() string {
	return c.available(c.pick(c.hosts), cluster.Drained)
}

func (c *chaos) activate() string {
	return c.available(c.pick(c.hosts), cluster.Active)
}

func (c *chaos) available(h *host, a cluster.Availability) string {
	did, _ := c.change(fmt.Sprintf("make %s %s", h.name, a), http.MethodPost, "/v1/nodes/"+h.name+"/availability", api.SetAvailability{Availability: a})
	return did
}

// calm undoes what was done to the hosts.
func (c *chaos) calm() {
	c.heal()
	boot(c.dead()...)
	for _, h := range c.agentless() {
		h.start()
	}
	for _, h := range c.hosts {
		c.retry(30*time.Second, func() error {
			ctx, cancel := context.WithTimeout(context.Background(), 4*time.Second)
			defer cancel()
			_, err := ask[any](ctx, c.well(), http.MethodPost, "/v1/nodes/"+h.name+"/availability", api.SetAvailability{Availability: cluster.Active})
			return err
		})
	}
	c.logger("chaos").Info("everything is mended")
}

// kept reports whether the service has one of the numbers of replicas that it
// may have.
func (c *chaos) kept() func() string {
	return func() string {
		s, err := get[api.Service](c.well(), "/v1/services/app/web")
		if err != nil {
			return "look at the service: " + err.Error()
		}
		if !slices.Contains(c.replicas, s.Desired) {
			return fmt.Sprintf("the service has %d replicas; acknowledged or asked for since: %v", s.Desired, c.replicas)
		}
		return ""
	}
}

// stackRuns reports whether app/web runs as it is wanted, in its newest
// generation.
func (r *ring) stackRuns() func() string {
	return func() string {
		st, err := get[api.StackStatus](r.well(), "/v1/stacks/app")
		if err != nil || len(st.Services) != 1 {
			return fmt.Sprintf("look at the stack: %+v, %v", st.Services, err)
		}
		if why := r.running(st.Services[0].Desired)(); why != "" {
			return why
		}
		if !st.Settled {
			return "the stack is not settled"
		}
		return ""
	}
}
