//go:build linux

package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/api/client"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/integration/lab"
)

const (
	users  = 3
	stacks = 3
	// maxReplicas of all stacks fit on three of five hosts, but for those that
	// hold a port of their host: these need all five.
	maxReplicas = 5
	firstPort   = 8100
)

// startUsers lets users work on stacks until ctx ends. The one that is returned
// is over when their last calls are.
func (r *Run) startUsers(ctx context.Context, seed uint64) *sync.WaitGroup {
	var wg sync.WaitGroup
	for i := range users {
		u := &user{Run: r, number: i, rand: rand.New(rand.NewPCG(seed, uint64(10+i)))}
		wg.Go(func() {
			for sleep(ctx, time.Duration(100+u.rand.IntN(700))*time.Millisecond) {
				u.act(context.WithoutCancel(ctx))
			}
		})
	}
	return &wg
}

type user struct {
	*Run
	number int
	rand   *rand.Rand
}

// observer is the user who looks once a fault is over.
func (r *Run) observer() *user { return &user{Run: r, number: users} }

func stackName(i int) string { return fmt.Sprintf("s%d", i) }

// act makes one call through some host.
func (u *user) act(ctx context.Context) {
	n := u.rand.IntN(stacks)
	through := pick(u.rand, u.Fleet.Hosts)
	kind, replicas, version := u.rand.IntN(20), 1+u.rand.IntN(maxReplicas), fmt.Sprintf("%d-%x", u.number, u.rand.Uint32())
	if through.AgentPID() == 0 {
		return // nobody to ask
	}
	switch {
	case kind < 2:
		_ = u.deploy(ctx, through, n, version, replicas)
	case kind < 5:
		in := input{verb: scale, stack: stackName(n), replicas: replicas}
		_ = u.ask(ctx, through, in, func(ctx context.Context, c *client.Client, _ *output) error {
			_, err := c.Scale(ctx, in.stack, "web", replicas)
			return err
		})
	case kind < 6:
		in := input{verb: remove, stack: stackName(n)}
		_ = u.ask(ctx, through, in, func(ctx context.Context, c *client.Client, _ *output) error {
			_, err := c.RemoveStack(ctx, in.stack)
			return err
		})
	case kind < 7:
		u.restart(ctx, through, stackName(n))
	default:
		_ = u.look(ctx, through, n)
	}
}

func (u *user) deploy(ctx context.Context, through *lab.Host, n int, version string, replicas int) error {
	in := input{verb: deploy, stack: stackName(n), version: version, replicas: replicas}
	return u.ask(ctx, through, in, func(ctx context.Context, c *client.Client, _ *output) error {
		_, err := c.Deploy(ctx, in.stack, []api.NamedSpec{{Name: "web", Spec: spec(n, version, replicas)}})
		return err
	})
}

func (u *user) look(ctx context.Context, through *lab.Host, n int) error {
	in := input{verb: look, stack: stackName(n)}
	return u.ask(ctx, through, in, func(ctx context.Context, c *client.Client, out *output) (err error) {
		if out.seen, err = see(ctx, c, in.stack); err == nil && c.Stale() {
			err = fmt.Errorf("%s reaches no leader", through.Name) // nothing was promised
		}
		return err
	})
}

// ask makes a call and notes what the answer was, if it said anything.
func (u *user) ask(ctx context.Context, through *lab.Host, in input, do func(context.Context, *client.Client, *output) error) error {
	called := time.Now()
	var out output
	err := u.call(ctx, through, func(ctx context.Context, c *client.Client) error { return do(ctx, c, &out) })
	if err != nil && in.verb == look {
		return err
	}
	switch client.Code(err) {
	case "":
		out.unknown = err != nil
	case api.CodeNotFound:
		out.absent = true
	case api.CodeInvalid, api.CodeConflict, api.CodeTooLarge, api.CodeForbidden, api.CodeNotMember:
		return err // refused: nothing was done
	default:
		out.unknown = true
	}
	if out.unknown {
		u.mu.Lock()
		u.report.Unknown++
		u.mu.Unlock()
	}
	u.history.add(u.number, called, in, out)
	return err
}

// restart makes a new generation of the same: whatever becomes of it, nobody can
// tell by the register.
func (u *user) restart(ctx context.Context, through *lab.Host, stack string) {
	_ = u.call(ctx, through, func(ctx context.Context, c *client.Client) error {
		_, err := c.Restart(ctx, stack, "web", cluster.Note{})
		return err
	})
}

// see is what the cluster says of a stack.
func see(ctx context.Context, c *client.Client, name string) (stack, error) {
	s, err := c.Service(ctx, name, "web")
	switch {
	case client.Code(err) == api.CodeNotFound || err == nil && s.Removing:
		return stack{}, nil
	case err != nil:
		return stack{}, err
	}
	return stack{exists: true, version: s.Spec.Template.Container.Env["CHAOS"], replicas: s.Spec.Replicas}, nil
}

// spec is the example service with a published port of its own: one of every
// node, but for the last stack, whose tasks each hold their node's.
func spec(n int, version string, replicas int) cluster.ServiceSpec {
	mode := cluster.Ingress
	if holdsPort(n) {
		mode = cluster.HostPort
	}
	return cluster.ServiceSpec{
		Mode: cluster.Replicated, Replicas: replicas,
		Template: cluster.Template{
			Container: cluster.ContainerSpec{
				Image: cluster.Image{Ref: lab.Hello}, Env: map[string]string{"CHAOS": version}, StopGrace: time.Second,
			},
			Reservations: cluster.Resources{MilliCPU: 400, Memory: 32 << 20},
			Ports:        []cluster.Port{{Target: 80, Published: port(n), Protocol: "tcp", Mode: mode}},
		},
		// A fault that befalls a new task is no reason to take back what a user was
		// promised.
		Update: cluster.Update{Parallelism: maxReplicas, FailureAction: cluster.ActionContinue},
	}
}

func holdsPort(n int) bool { return n == stacks-1 }

func port(n int) uint16 { return uint16(firstPort + n) }
